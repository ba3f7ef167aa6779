//! The example `stress`, as a command: what it says of servers that are as they should be, and of some that are not.
//!
//! | what is tried | file |
//! |---|---|
//! | every scenario against the example server, in a fiftieth of the time | `compressed.rs` |
//! | servers that cross answers, lose sessions, limit | `broken.rs` |
//! | a run that somebody ends before its time | `interrupted.rs` |
//! | a server of somebody else's, behind the gateway | `foreign.rs` |
//! | the reports and their comparison | `reports.rs` |
//! | the command line | `usage.rs` |

mod broken;
mod compressed;
mod foreign;
mod interrupted;
mod reports;
mod usage;

use std::fs;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::process::{run_example, token_flag};

/// Times that only a machine with much else to do needs. What is tried here is right and wrong, not fast and slow.
const PATIENT: [&str; 6] = ["--api-limit", "20s", "--store-limit", "20s", "--event-limit", "20s"];

/// What came of a run.
struct Run {
    status: i32,
    stdout: String,
    stderr: String,
    directory: TempDir,
}

/// Runs `stress` against these endpoints.
async fn stress(urls: &[String], arguments: &[&str]) -> Run {
    let urls: Vec<_> = urls.iter().flat_map(|url| ["--url", url.as_str()]).collect();
    run(&[&urls[..], &PATIENT, arguments].concat()).await
}

async fn run(arguments: &[&str]) -> Run {
    let directory = tempfile::tempdir().expect("the temporary directory can be written");
    let report = ["--report", directory.path().to_str().expect("a path in Unicode")];
    Run::of(&run_example("stress", &[arguments, &token_flag(), &report].concat()).await, directory)
}

impl Run {
    fn of(output: &Output, directory: TempDir) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            status: output.status.code().expect("it ends by itself"),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            directory,
        }
    }

    /// What it printed, in one line: the terminal breaks long ones.
    fn said(&self) -> String {
        self.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn file(&self, name: &str) -> String {
        let path = self.directory.path().join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}\n{self}"))
    }

    fn report(&self) -> Value {
        serde_json::from_str(&self.file("report.json")).expect("report.json is JSON")
    }

    /// The criteria of a verdict, as `scenario: name`; what people wrote down is told as `goals`.
    fn criteria(&self, verdict: &str) -> Vec<String> {
        let report = self.report();
        let named = |part: &str, criteria: &Value| -> Vec<String> {
            let criteria = criteria.as_array().expect("a list of criteria").iter();
            let wanted = criteria.filter(|criterion| criterion["verdict"] == verdict);
            wanted.map(|criterion| format!("{part}: {}", criterion["name"].as_str().expect("a name"))).collect()
        };
        let scenarios = report["scenarios"].as_array().expect("a list of scenarios").iter();
        let mut found: Vec<_> =
            scenarios.flat_map(|played| named(played["name"].as_str().expect("a name"), &played["criteria"])).collect();
        found.extend(named("goals", &report["written_down"]));
        found
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "status {}\n{}\n{}", self.status, self.stdout, self.stderr)
    }
}
