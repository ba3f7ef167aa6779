//! Official MCP clients as test subjects: runs `clients/drive.mjs` and `clients/drive.py` and reads their reports.
//!
//! The drivers do what a user's program does with the SDK and report each step; what a step must find is written
//! there. A test here says which client, against which URL, and asserts on the [`DriveReport`].

mod life;
mod report;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

pub(crate) use self::life::Life;
pub(crate) use self::report::{DriveReport, DriveStep, Interrupted, RoundsSummary};

/// What a driver is given when the test does not say; the drivers' own default.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);

/// On top of the driver's own deadline, for starting and stopping the runtime on a busy machine.
const GRACE: Duration = Duration::from_secs(15);

/// An official TypeScript SDK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TsSdk {
    /// `@modelcontextprotocol/sdk` 1.32.2
    V1,
    /// `@modelcontextprotocol/client` 2.4.0
    V2,
}

impl TsSdk {
    /// Both, oldest first.
    pub(crate) const ALL: [Self; 2] = [Self::V1, Self::V2];

    fn argument(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }
}

/// A version of the official Python SDK, `mcp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PySdk {
    /// mcp 1.9.4: revision 2025-03-26, no version header, no elicitation.
    V1_9_4,
    /// mcp 1.30.0: the last of the 1.x line.
    V1_30_0,
    /// mcp 2.3.0: both eras.
    V2_3_0,
}

impl PySdk {
    /// All of them, oldest first.
    pub(crate) const ALL: [Self; 3] = [Self::V1_9_4, Self::V1_30_0, Self::V2_3_0];

    fn version(self) -> &'static str {
        match self {
            Self::V1_9_4 => "1.9.4",
            Self::V1_30_0 => "1.30.0",
            Self::V2_3_0 => "2.3.0",
        }
    }
}

/// Runs a scenario of `clients/drive.mjs` (`quickstart`, `tools`, `resume`, `rounds`, `login`) with the options described there.
///
/// # Panics
///
/// When the client is not installed, does not end in time or prints no report. A failed step is no panic: it is in
/// the report.
pub(crate) async fn drive_ts(sdk: TsSdk, url: &str, scenario: &str, options: Value) -> DriveReport {
    let node = installed("node_modules/node/bin/node");
    let mut command = Command::new(node);
    command.arg(clients().join("drive.mjs"));
    command.args([sdk.argument(), url, scenario]);
    report_of(command, &options).await
}

/// Runs a scenario of `clients/drive.py` (`quickstart`, `tools`, `rounds`) with the options described there.
///
/// # Panics
///
/// As [`drive_ts`].
pub(crate) async fn drive_py(sdk: PySdk, url: &str, scenario: &str, options: Value) -> DriveReport {
    let python = installed(&format!(".venv-{}/bin/python", sdk.version()));
    let mut command = Command::new(python);
    command.arg(clients().join("drive.py"));
    command.args([url, scenario]);
    report_of(command, &options).await
}

/// Where drivers, servers and their runtimes are.
pub(super) fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// The path of an installed runtime.
pub(crate) fn installed(path: &str) -> PathBuf {
    let path = clients().join(path);
    assert!(path.exists(), "{} is missing: run integration/run once, it installs them", path.display());
    path
}

/// Runs a driver to its end and reads the report it prints.
async fn report_of(mut command: Command, options: &Value) -> DriveReport {
    command
        .arg(options.to_string())
        .env("NO_PROXY", "*")
        .env("no_proxy", "*")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let deadline = deadline_in(options) + GRACE;
    let Ok(ended) = tokio::time::timeout(deadline, command.output()).await else {
        panic!("no end within {deadline:?}: {command:?}");
    };
    let output = ended.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        let (out, err) = (lossy(&output.stdout), lossy(&output.stderr));
        panic!("no report from {command:?} ({error})\nstdout: {out}\nstderr: {err}")
    })
}

/// The deadline that the driver keeps by itself.
fn deadline_in(options: &Value) -> Duration {
    let asked = options.get("timeoutMs").and_then(Value::as_u64);
    asked.map_or(DEFAULT_DEADLINE, Duration::from_millis)
}

fn lossy(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
