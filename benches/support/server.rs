//! A small MCP handler, bare or behind the layer, on a thread and core of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::handler::HandlerWithoutStateExt;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tower::Layer;
use tower_mcp_sessions::store::{MemoryStore, RedisStore};
use tower_mcp_sessions::{Freshness, SessionLayer, SessionLayerBuilder};

pub enum Variant {
    Bare,
    Memory,
    RedisCached(String),
    RedisStrict(String),
}

impl Variant {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bare => "bare inner service",
            Self::Memory => "layer, MemoryStore",
            Self::RedisCached(_) => "layer, Redis, cached",
            Self::RedisStrict(_) => "layer, Redis, strict",
        }
    }

    async fn app(&self) -> Router {
        let handler = answer.into_service();
        let builder = match self {
            Self::Bare => return Router::new().route_service("/mcp", handler),
            Self::Memory => SessionLayer::builder(MemoryStore::new()),
            Self::RedisCached(url) => in_redis(url).await,
            Self::RedisStrict(url) => in_redis(url).await.freshness(Freshness::Strict),
        };
        Router::new().route_service("/mcp", builder.build().layer(handler))
    }
}

async fn in_redis(url: &str) -> SessionLayerBuilder {
    SessionLayer::builder(RedisStore::connect(url).await.expect("the private Redis answers"))
}

/// Stops when dropped.
pub struct Server {
    pub address: SocketAddr,
    /// Where Linux says how long the server's thread has run.
    schedstat: PathBuf,
    _running: oneshot::Sender<()>,
}

impl Server {
    /// How long the server's thread has run so far; what else the machine does makes no difference to it.
    pub fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(&self.schedstat).unwrap_or_default();
        Duration::from_nanos(stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
    }
}

pub fn serve(variant: &Variant) -> Server {
    let (running, dropped) = oneshot::channel::<()>();
    let (ready, address) = std::sync::mpsc::channel();
    let (started, thread) = std::sync::mpsc::channel();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .on_thread_start(move || {
            super::pin(true);
            let _ = started.send(std::fs::read_link("/proc/thread-self").unwrap_or_default());
        })
        .enable_all()
        .build()
        .expect("a runtime");
    let app = runtime.block_on(variant.app());
    std::thread::spawn(move || {
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            ready.send(listener.local_addr().expect("an address")).expect("somebody waits");
            tokio::spawn(async move { axum::serve(listener, app).await });
            let _ = dropped.await;
        });
    });
    let address = address.recv().expect("the server starts");
    let thread = thread.recv().expect("the runtime has a thread");
    Server { address, schedstat: PathBuf::from("/proc").join(thread).join("schedstat"), _running: running }
}

/// What a hand-written handler does: reads the message, adds two numbers, writes the answer.
async fn answer(Json(message): Json<Value>) -> Json<Value> {
    let result = if message["method"] == "initialize" {
        json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": { "name": "bench", "version": "0" } })
    } else {
        let arguments = &message["params"]["arguments"];
        let sum = arguments["a"].as_i64().unwrap_or(0) + arguments["b"].as_i64().unwrap_or(0);
        json!({ "content": [{ "type": "text", "text": sum.to_string() }] })
    };
    Json(json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }))
}
