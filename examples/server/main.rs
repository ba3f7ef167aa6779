//! The full example server: rmcp inside, sessions in memory or in Redis, as many replicas as you like.
//!
//! `cargo run --example server -- --listen 127.0.0.1:8932 --redis redis://127.0.0.1/` and again with another port; then any
//! client may use either.

#![forbid(unsafe_code)]

mod options;
mod tools;

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::extract::ConnectInfo;
use clap::Parser;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tower::Layer;
use tower_mcp_sessions::store::MemoryStore;
use tower_mcp_sessions::{Freshness, SessionLayer, SessionLayerBuilder};

use crate::options::Options;
use crate::tools::Tools;

#[path = "../support/redis.rs"]
mod redis;
#[path = "../support/serve.rs"]
mod serve;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    serve::log_to_stderr();
    serve::exit_code(run(options).await)
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let server = serve::Server::bind(options.listen).await?;
    let replica = options.replica(server.address()?);
    let builder = match &options.redis {
        Some(url) => SessionLayer::builder(redis::connect(url).await?),
        None => SessionLayer::builder(MemoryStore::new()),
    };
    let sessions = configure(builder, &options).replica(Arc::clone(&replica)).try_build()?;
    let app = Router::new().route_service("/mcp", sessions.layer(mcp(&options, replica)));
    server.announce()?;
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

fn configure(mut builder: SessionLayerBuilder, options: &Options) -> SessionLayerBuilder {
    builder = builder
        .idle_timeout(options.idle_timeout)
        .expires_after(options.expires_after)
        .on_return(options.on_return.into())
        .freshness(if options.strict { Freshness::Strict } else { Freshness::Cached })
        .peer(|parts| parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0));
    if let Some(name) = options.principal_header.clone() {
        let subject = move |parts: &http::request::Parts| Some(parts.headers.get(&name)?.to_str().ok()?.to_owned());
        builder = builder.principal(subject);
    }
    for host in &options.allow_host {
        builder = builder.allow_host(host);
    }
    for origin in &options.allow_origin {
        builder = builder.allow_origin(origin);
    }
    builder
}
