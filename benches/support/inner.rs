//! The services whose sessions are kept: one that costs next to nothing, and the one people run.

use clap::ValueEnum;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, schemars, tool, tool_handler, tool_router};
use serde::Deserialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Inner {
    /// An axum handler written by hand: reads one message, adds two numbers. The hardest to stand beside.
    Handler,
    /// rmcp without sessions of its own, answering JSON.
    RmcpStateless,
    /// rmcp as it comes: sessions of its own, every answer an event stream.
    Rmcp,
}

impl Inner {
    pub fn name(self) -> &'static str {
        match self {
            Self::Handler => "axum handler",
            Self::RmcpStateless => "rmcp, stateless, JSON",
            Self::Rmcp => "rmcp, stateful, SSE",
        }
    }
}

pub fn rmcp(stateful: bool) -> StreamableHttpService<Adder, LocalSessionManager> {
    let config = StreamableHttpServerConfig::default().with_legacy_session_mode(stateful).with_json_response(!stateful);
    StreamableHttpService::new(|| Ok(Adder), std::sync::Arc::default(), config)
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Add {
    a: i64,
    b: i64,
}

pub struct Adder;

#[tool_router]
impl Adder {
    #[tool(description = "Adds two numbers")]
    fn add(&self, Parameters(Add { a, b }): Parameters<Add>) -> String {
        (a + b).to_string()
    }
}

#[tool_handler]
impl ServerHandler for Adder {}
