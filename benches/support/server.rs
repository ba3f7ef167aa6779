//! An MCP service, bare or behind the layer, on a thread and core of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::handler::HandlerWithoutStateExt;
use axum::serve::ListenerExt;
use tokio::sync::oneshot;
use tower::Layer;
use tower_mcp_sessions::store::{MemoryStore, RedisStore};
use tower_mcp_sessions::{Freshness, SessionLayer, SessionLayerBuilder};

use super::handler::handler;
use super::inner::{self, Inner};

/// Mounts a service, behind the layer if there is one.
macro_rules! mount {
    ($sessions:expr, $service:expr) => {
        match $sessions {
            None => Router::new().route_service("/mcp", $service),
            Some(sessions) => Router::new().route_service("/mcp", sessions.layer($service)),
        }
    };
}

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

    async fn sessions(&self) -> Option<SessionLayer> {
        let builder = match self {
            Self::Bare => return None,
            Self::Memory => SessionLayer::builder(MemoryStore::new()),
            Self::RedisCached(url) => in_redis(url).await,
            Self::RedisStrict(url) => in_redis(url).await.freshness(Freshness::Strict),
        };
        Some(builder.build())
    }

    async fn app(&self, inner: Inner) -> Router {
        let sessions = self.sessions().await;
        match inner {
            Inner::Handler => mount!(sessions, handler.into_service()),
            Inner::RmcpStateless => mount!(sessions, inner::rmcp(false)),
            Inner::Rmcp => mount!(sessions, inner::rmcp(true)),
        }
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

pub fn serve(variant: &Variant, inner: Inner) -> Server {
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
    let app = runtime.block_on(variant.app(inner));
    std::thread::spawn(move || {
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            ready.send(listener.local_addr().expect("an address")).expect("somebody waits");
            let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("TCP"));
            tokio::spawn(async move { axum::serve(listener, app).await });
            let _ = dropped.await;
        });
    });
    let address = address.recv().expect("the server starts");
    let thread = thread.recv().expect("the runtime has a thread");
    Server { address, schedstat: PathBuf::from("/proc").join(thread).join("schedstat"), _running: running }
}
