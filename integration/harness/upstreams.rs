//! Official MCP SDKs of other languages as servers: runs `clients/serve.mjs` and `clients/serve.py`.

use std::net::SocketAddr;

use super::clients::{clients, installed};
use super::process::{FREE_PORT, Process};

/// A server that somebody else's SDK makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Upstream {
    /// The script of `clients/script.json` on `@modelcontextprotocol/sdk` 1.32.2: sessions.
    TsV1,
    /// The script on `@modelcontextprotocol/server` 2.4.0: both eras.
    TsV2,
    /// An example server that comes with `@modelcontextprotocol/sdk`, as it is.
    TsExample,
    /// The shortest server with `@modelcontextprotocol/sdk`: one transport, and so one session.
    TsShort,
    /// The script on mcp 2.3.0: both eras.
    Python,
}

impl Upstream {
    /// Starts it on a free port and waits until it listens.
    ///
    /// # Panics
    ///
    /// If it is not installed or does not listen.
    pub(crate) async fn start(self) -> Process {
        self.start_at(FREE_PORT).await
    }

    /// The same at this address, which another one may have left.
    ///
    /// # Panics
    ///
    /// If it is not installed or does not listen.
    pub(crate) async fn start_at(self, address: SocketAddr) -> Process {
        let node = "node_modules/node/bin/node";
        let (runtime, program, argument) = match self {
            Self::TsV1 => (node, "serve.mjs", Some("v1")),
            Self::TsV2 => (node, "serve.mjs", Some("v2")),
            Self::TsExample => (node, "serve.mjs", Some("example")),
            Self::TsShort => (node, "serve.mjs", Some("short")),
            Self::Python => (".venv-2.3.0/bin/python", "serve.py", None),
        };
        let program = clients().join(program);
        let program = program.to_str().expect("a path in Unicode");
        let arguments: Vec<_> = std::iter::once(program).chain(argument).collect();
        Process::program_at(address, installed(runtime), &arguments).await
    }
}
