//! Official MCP clients that keep their session on disk, `clients/live.mjs` and `clients/live.py`, and are killed.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::{PySdk, TsSdk, clients, installed};

/// No requirement: only what keeps a test from hanging.
const SAYS_WITHIN: Duration = Duration::from_secs(60);

/// A running client; it dies with the value.
pub(crate) struct Life {
    process: Child,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Life {
    /// A TypeScript client of the server at `url`, with this wallet, that adds a word to its note.
    pub(crate) fn of_ts(sdk: TsSdk, url: &str, wallet: &Path, word: &str) -> Self {
        let mut command = Command::new(installed("node_modules/node/bin/node"));
        command.arg(clients().join("live.mjs")).arg(sdk.argument());
        Self::begin(command, [url.as_ref(), wallet.as_os_str(), word.as_ref()])
    }

    /// The same in Python.
    pub(crate) fn of_py(sdk: PySdk, url: &str, wallet: &Path, word: &str) -> Self {
        let mut command = Command::new(installed(&format!(".venv-{}/bin/python", sdk.version())));
        command.arg(clients().join("live.py"));
        Self::begin(command, [url.as_ref(), wallet.as_os_str(), word.as_ref()])
    }

    fn begin(mut command: Command, arguments: [&OsStr; 3]) -> Self {
        command
            .args(arguments)
            .env("NO_PROXY", "*")
            .env("no_proxy", "*")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut process = command.spawn().unwrap_or_else(|error| panic!("the client does not start: {error}"));
        let stdout = BufReader::new(process.stdout.take().expect("stdout is piped")).lines();
        Self { process, stdout }
    }

    /// The next object it prints.
    ///
    /// # Panics
    ///
    /// If there is none: what went wrong then stands on stderr.
    pub(crate) async fn says(&mut self) -> Value {
        let line = timeout(SAYS_WITHIN, self.stdout.next_line()).await.expect("the client says something");
        let line = line.expect("stdout is text").expect("the client is alive");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// SIGKILL. Returns when it is gone.
    pub(crate) async fn kill(mut self) {
        assert!(self.process.try_wait().expect("our own child").is_none(), "the client had ended by itself");
        self.process.kill().await.expect("our own child can be killed");
    }
}
