//! An MCP server that gives the official conformance suite something to check.
//!
//! The suite calls tools, prompts and resources by fixed names and looks at what comes back. This
//! server has all of them, on rmcp, at one endpoint: `/mcp` serves sessions (up to 2025-11-25) and
//! self-contained requests (2026-07-28) alike.
//!
//! | what the suite asks for | file |
//! |---|---|
//! | what lasts longer than a request | `server.rs` |
//! | capabilities, and which method goes where | `handler.rs` |
//! | tools, by kind | `tools/` |
//! | prompts, resources | `prompts.rs`, `resources.rs` |
//! | input from the user in several rounds | `rounds.rs` |
//! | "the list of tools has changed" | `changes.rs` |
//!
//! One process is one replica: what rmcp keeps in memory (sessions, tasks, listeners) is not shared
//! here. That is the point of running two of them.

#![forbid(unsafe_code)]
#![expect(deprecated, reason = "2026-07-28 deprecates sampling, roots and logging; the suite still checks them")]

mod changes;
mod handler;
mod media;
mod prompts;
mod resources;
mod rounds;
mod server;
mod tools;

use std::{error::Error, io::Write, net::SocketAddr, sync::Arc};

use axum::Router;
use clap::{Parser, ValueEnum};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};
use tower::Layer;
use tower_mcp_sessions::{
    Freshness, Resumable, SessionLayer,
    store::{MemoryStore, RedisStore},
};

use crate::server::{ConformanceServer, Shared};

/// Serves MCP for the official conformance suite at /mcp.
#[derive(Parser)]
struct Options {
    /// Address to listen on; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// Serve versions before 2026-07-28 without sessions, too.
    #[arg(long)]
    stateless: bool,

    /// Keep sessions with tower-mcp-sessions: not at all, in memory, or in the Redis of `--redis`.
    #[arg(long, value_enum, default_value_t = Sessions::None)]
    sessions: Sessions,

    /// Where Redis is.
    #[arg(long, default_value = "redis://127.0.0.1/")]
    redis: String,

    /// Ask the store about every request.
    #[arg(long)]
    strict: bool,

    /// Send every event stream of the inner service's on as a stream, even if it carries one answer that is there at once.
    #[arg(long)]
    keep_streams: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Sessions {
    None,
    Memory,
    Redis,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let listener = tokio::net::TcpListener::bind(options.listen).await?;
    let app = app(&options).await?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "listening on http://{}", listener.local_addr()?)?;
    stdout.flush()?;
    Ok(axum::serve(listener, app).await?)
}

/// Everything between the socket and the MCP handler.
async fn app(options: &Options) -> Result<Router, Box<dyn Error>> {
    let shared = Arc::new(Shared::new());
    let mcp = StreamableHttpService::new(
        move || Ok(ConformanceServer::new(Arc::clone(&shared))),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default().with_legacy_session_mode(!options.stateless),
    );
    let builder = match options.sessions {
        Sessions::None => return Ok(Router::new().route_service("/mcp", mcp)),
        Sessions::Memory => SessionLayer::builder(MemoryStore::new()),
        Sessions::Redis => SessionLayer::builder(RedisStore::connect(&options.redis).await?),
    };
    let freshness = if options.strict { Freshness::Strict } else { Freshness::Cached };
    Ok(Router::new().route_service(
        "/mcp",
        builder
            .freshness(freshness)
            .resumable(if options.keep_streams { Resumable::All } else { Resumable::default() })
            .build()
            .layer(mcp),
    ))
}
