//! Runs the official conformance suite against a URL and reads the files it leaves behind.
//!
//! The suite writes one directory per scenario, `server-<scenario>-<time>`, with a `checks.json`.
//! All of them count here, also those a revision runs without scoring them (see the README of
//! the conformance server). Its coloured text is looked at only to explain a run that failed.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use serde::Deserialize;
use tokio::{process::Command, time::timeout};

/// Where the pinned node and the suite are installed.
const NODE_MODULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/node_modules");

/// A run takes 4 to 11 seconds. One scenario that hangs costs 30.
const TIME_LIMIT: Duration = Duration::from_secs(270);

/// How the suite begins the name of a scenario's directory.
const PREFIX: &str = "server-";

/// How long `-2026-11-23T06-55-54-662Z` is, which ends it.
const SUFFIX: usize = 25;

/// What a run of the suite found.
#[derive(Debug, Default)]
pub(crate) struct SuiteResult {
    /// How many checks passed.
    pub(crate) passed: usize,
    /// How many checks failed.
    pub(crate) failed: usize,
    /// Each failed check, as `scenario/check: message`.
    pub(crate) failures: Vec<String>,
    /// What the server should do and did not, in the same form. No failure by the spec.
    pub(crate) warnings: Vec<String>,
}

impl SuiteResult {
    /// The checks that failed here and not in `other`; one that failed in both, as often as it failed more often here.
    pub(crate) fn failed_beyond(&self, other: &Self) -> Vec<&str> {
        let mut known: Vec<_> = other.failed_checks().collect();
        let is_new = |check: &&str| match known.iter().position(|known| known == check) {
            Some(place) => {
                known.swap_remove(place);
                false
            }
            None => true,
        };
        self.failed_checks().filter(is_new).collect()
    }

    /// What failed, without the messages, which may differ from run to run.
    fn failed_checks(&self) -> impl Iterator<Item = &str> {
        self.failures.iter().filter_map(|failure| failure.split(": ").next())
    }

    fn fail(&mut self, failure: String) {
        self.failed += 1;
        self.failures.push(failure);
    }
}

impl fmt::Display for SuiteResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        let failures = self.failures.iter().map(|failure| ("✗", failure));
        let warnings = self.warnings.iter().map(|warning| ("!", warning));
        for (mark, check) in failures.chain(warnings) {
            write!(f, "\n  {mark} {check}")?;
        }
        Ok(())
    }
}

/// One entry of a `checks.json`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    id: String,
    status: Status,
    description: String,
    error_message: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Status {
    Success,
    Failure,
    Warning,
    Info,
    Skipped,
}

/// Runs what revision `requirements` (`2025-11-25` or `2026-07-28`) asks of a server against the
/// MCP endpoint at `url`, which has to be on localhost: one scenario insists.
///
/// A suite that crashes, or does not end, is a failure beside those it has found until then.
///
/// # Panics
///
/// If the suite is not installed or has left files that cannot be read.
pub(crate) async fn run_suite(url: &str, requirements: &str) -> SuiteResult {
    let results = tempfile::tempdir().expect("a directory for the suite's results");
    let run = command(url, requirements, results.path()).output();
    let output = timeout(TIME_LIMIT, run).await;

    let mut found = read_results(results.path());
    match output {
        Err(_) => found.fail(format!("suite/time: not done within {TIME_LIMIT:?}")),
        Ok(Err(error)) => found.fail(format!("suite/start: {error}")),
        Ok(Ok(output)) if !output.status.success() && found.failed == 0 => {
            found.fail(format!("suite/exit: {}: {}", output.status, last_words(&output)));
        }
        Ok(Ok(_)) => {}
    }
    found
}

fn command(url: &str, requirements: &str, results: &Path) -> Command {
    let mut command = Command::new(installed("node/bin/node"));
    command
        .arg(installed("@modelcontextprotocol/conformance/dist/index.js"))
        .args(["server", "--url", url, "--requirements", requirements])
        .arg("--output-dir")
        .arg(results)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

fn installed(file: &str) -> PathBuf {
    let path = Path::new(NODE_MODULES).join(file);
    assert!(path.exists(), "{} is missing: run integration/run once, it installs them", path.display());
    path
}

fn read_results(results: &Path) -> SuiteResult {
    let mut found = SuiteResult::default();
    let mut scenarios = fs::read_dir(results)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>())
        .unwrap_or_else(|error| panic!("{}: {error}", results.display()));
    scenarios.sort();
    for scenario in scenarios {
        read_scenario(&scenario, &mut found);
    }
    found
}

fn read_scenario(directory: &Path, found: &mut SuiteResult) {
    let scenario = scenario_name(directory);
    // The suite makes the directory first and the file last.
    let Ok(json) = fs::read(directory.join("checks.json")) else {
        return found.fail(format!("{scenario}/end: the scenario did not end"));
    };
    let checks: Vec<Check> =
        serde_json::from_slice(&json).unwrap_or_else(|error| panic!("{}/checks.json: {error}", directory.display()));
    for check in checks {
        let message = check.error_message.unwrap_or(check.description);
        let line = format!("{scenario}/{}: {message}", check.id);
        match check.status {
            Status::Success => found.passed += 1,
            Status::Failure => found.fail(line),
            Status::Warning => found.warnings.push(line),
            Status::Info | Status::Skipped => {}
        }
    }
}

fn scenario_name(directory: &Path) -> &str {
    let name = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = name.strip_prefix(PREFIX).unwrap_or(name);
    name.len().checked_sub(SUFFIX).and_then(|end| name.get(..end)).unwrap_or(name)
}

/// The end of what the suite said, errors last.
fn last_words(output: &Output) -> String {
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines = said.trim().lines().rev().take(5).collect::<Vec<_>>();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
