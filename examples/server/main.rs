//! The full example server: rmcp inside, sessions in memory or in Redis, as many replicas as you like.
//!
//! `cargo run --example server -- --listen 127.0.0.1:8932 --redis redis://127.0.0.1/` and again with another port; then any
//! client may use either.

#![forbid(unsafe_code)]

mod options;
mod tools;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use clap::Parser;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tower::Layer;
use tower_mcp_sessions::monitor::OneTimeCode;

use crate::options::Options;
use crate::tools::Tools;

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
    let server = serve::Server::bind(options.listen).await?;
    let replica = options.sessions.replica(server.address()?);
    let sessions = options.sessions.builder(Arc::clone(&replica)).await?.try_build()?;
    options.sessions.start(&sessions).await?;
    let code = OneTimeCode::generate()?;
    let endpoint = sessions.layer(mcp(&options, replica));
    let endpoint = Router::new().route_service("/mcp", endpoint.clone()).route_service("/mcp/", endpoint);
    let app = cors::around(endpoint, &sessions).fallback_service(options.monitor.monitor(&sessions, &code)?);
    server.announce()?;
    let _link = dashboard_link::tell(&code, server.address()?)?;
    server.serve(app, sessions).await
}

/// The inner service. The layer in front has checked the host already.
fn mcp(options: &Options, replica: Arc<str>) -> StreamableHttpService<Tools, LocalSessionManager> {
    let stateful = !options.stateless;
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(stateful)
        .with_json_response(!stateful)
        .disable_allowed_hosts();
    StreamableHttpService::new(move || Ok(Tools::new(Arc::clone(&replica), stateful)), Arc::default(), config)
}
