//! An rmcp server behind the session layer, sessions in memory: nothing to install, nothing to set up.
//!
//! `cargo run --example quickstart`, then follow what it prints.

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::extract::ConnectInfo;
use clap::Parser;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{Implementation, ServerCapabilities, ServerConfig};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, schemars, tool, tool_handler, tool_router};
use serde::Deserialize;
use tower::Layer;
use tower_mcp_sessions::monitor::{Access, OneTimeCode, Role};
use tower_mcp_sessions::store::MemoryStore;
use tower_mcp_sessions::{ReconnectKeys, SessionLayer};

#[path = "support/dashboard_link.rs"]
mod dashboard_link;
#[path = "support/log.rs"]
mod log;
#[path = "support/serve.rs"]
mod serve;
use serve::Server;

/// An MCP server with one tool behind the session layer, on 127.0.0.1:8931.
#[derive(Parser)]
struct Options {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:8931")]
    listen: SocketAddr,

    #[command(flatten)]
    log: log::LogOptions,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Greet {
    name: String,
}

struct Greeter;

#[tool_router]
impl Greeter {
    #[tool(description = "Greets somebody by name")]
    fn greet(&self, Parameters(Greet { name }): Parameters<Greet>) -> String {
        format!("Hello, {name}!")
    }
}

#[tool_handler]
impl ServerHandler for Greeter {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("quickstart", env!("CARGO_PKG_VERSION")))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    options.log.begin();
    serve::exit_code(run(options).await)
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let mcp: StreamableHttpService<Greeter, LocalSessionManager> =
        StreamableHttpService::new(|| Ok(Greeter), Arc::default(), StreamableHttpServerConfig::default());
    let sessions = SessionLayer::builder(MemoryStore::new())
        .reconnect(ReconnectKeys::random()?)
        .peer(|parts| parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0))
        .build();
    let code = OneTimeCode::generate()?;
    let access = Access::local_view().or(Access::code(&code, Role::View));
    let endpoint = sessions.layer(mcp);
    let app = Router::new()
        .route_service("/mcp", endpoint.clone())
        .route_service("/mcp/", endpoint)
        .fallback_service(sessions.monitor().access(access).build());

    let server = Server::bind(options.listen).await?;
    server.announce()?;
    let endpoint = format!("http://{}/mcp", server.address()?);
    println!("MCP endpoint: {endpoint} — try:\n");
    println!("  npx @modelcontextprotocol/inspector --cli {endpoint} --method tools/list\n");
    println!("Counts, as JSON:\n\n  curl -s http://{}/api/mcp/sessions/health\n", server.address()?);
    let _link = dashboard_link::tell(&code, server.address()?)?;
    server.serve(app, sessions).await
}
