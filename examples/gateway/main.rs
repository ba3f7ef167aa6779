//! The layer around a reverse proxy: sessions for an MCP server in any language, which changes nothing and need not know.
//!
//! `cargo run --example gateway -- --upstream http://127.0.0.1:3000/mcp --redis redis://127.0.0.1/` and again with another
//! `--listen`; then any client may use either.
//!
//! | question | file |
//! |---|---|
//! | Where does a request go? | `upstream.rs` |
//! | What does the proxy do with it? | `proxy.rs` |
//! | Which headers stay behind? | `hop_by_hop.rs` |
//! | Why a 502, a 504? | `failure.rs` |
//!
//! There is no session logic here. The layer gives clients ids of its own and rewrites `Mcp-Session-Id` both ways, so the
//! proxy sees only the upstream's.

#![forbid(unsafe_code)]

mod failure;
mod hop_by_hop;
mod options;
mod proxy;
mod upstream;

use std::error::Error;
use std::process::ExitCode;

use axum::Router;
use clap::Parser;
use tower::Layer;
use tower_mcp_sessions::monitor::OneTimeCode;

use crate::options::Options;
use crate::proxy::Proxy;
use crate::upstream::Upstream;

#[path = "../support/cors.rs"]
mod cors;
#[path = "../support/dashboard_link.rs"]
mod dashboard_link;
#[path = "../support/log.rs"]
mod log;
#[path = "../support/monitor_options.rs"]
mod monitor_options;
#[path = "../support/redis.rs"]
mod redis;
#[path = "../support/serve.rs"]
mod serve;
#[path = "../support/session_options.rs"]
mod session_options;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    options.log.begin();
    serve::exit_code(run(options).await)
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let upstream = Upstream::parse(&options.upstream)?;
    let server = serve::Server::bind(options.listen).await?;
    let replica = options.sessions.replica(server.address()?);
    let sessions =
        options.sessions.builder(replica).await?.inner_sessions(options.inner_sessions.into()).try_build()?;
    let proxy = Proxy::to(upstream, options.upstream_timeout);
    options.sessions.start(&sessions).await?;
    let code = OneTimeCode::generate()?;
    let endpoint = sessions.layer(proxy);
    let endpoint = Router::new().route_service("/mcp", endpoint.clone()).route_service("/mcp/", endpoint);
    let app = cors::around(endpoint, &sessions).fallback_service(options.monitor.monitor(&sessions, &code)?);
    server.announce()?;
    let _link = dashboard_link::tell(&code, server.address()?)?;
    server.serve(app, sessions).await
}
