//! A replica in this process: a layered service, served over real HTTP on a free loopback port.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::ConnectInfo;
use axum::response::IntoResponse;
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower::{Layer, Service, layer::layer_fn};
use tower_mcp_sessions::body::{BoxError, ResponseBody};
use tower_mcp_sessions::{SessionLayer, SessionLayerBuilder};

use super::backend::SharedStore;
use super::eventually::eventually;
use super::in_flight::InFlight;
use super::inner::Scripted;

/// A running server. Dropping it cuts all its connections and, with the last handle, stops its layer.
pub(crate) struct Replica {
    pub(crate) address: SocketAddr,
    /// The answers it waits for, where that is counted.
    in_flight: Arc<AtomicUsize>,
    _server: JoinSet<()>,
}

impl Replica {
    /// A replica as most tests use it: the default layer around a scripted service.
    pub(crate) async fn of(store: &SharedStore, inner: &Scripted) -> Self {
        Self::start(layer(store).build().layer(inner.clone())).await
    }

    /// Serves with plain hyper.
    pub(crate) async fn start<S>(service: S) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<ResponseBody>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        let (listener, address) = listen().await;
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.expect("the listener works");
                let service = TowerToHyperService::new(service.clone());
                connections.spawn(async move {
                    let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    // A client that leaves in the middle is what many tests are about.
                    let _ = server.serve_connection_with_upgrades(TokioIo::new(socket), service).await;
                });
            }
        });
        Self { address, in_flight: Arc::default(), _server: server }
    }

    /// Serves with axum, as the route `/mcp`.
    pub(crate) async fn start_in_axum<S>(service: S) -> Self
    where
        S: Service<axum::extract::Request, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Response: IntoResponse,
        S::Future: Send,
    {
        Self::serve(Router::new().route_service("/mcp", service)).await
    }

    /// Serves with axum as the examples do: the monitor beside `/mcp`, and the client's address known.
    pub(crate) async fn with_monitor(sessions: &SessionLayer, inner: &Scripted) -> Self {
        Self::beside(sessions, inner, sessions.monitor().build()).await
    }

    /// The same with another service beside `/mcp`.
    pub(crate) async fn beside<M>(sessions: &SessionLayer, inner: &Scripted, monitor: M) -> Self
    where
        M: Service<axum::extract::Request, Error = Infallible> + Clone + Send + Sync + 'static,
        M::Response: IntoResponse,
        M::Future: Send,
    {
        let app = Router::new().route_service("/mcp", sessions.layer(inner.clone()));
        let app = app.fallback_service(monitor);
        let in_flight = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&in_flight);
        let app = app.layer(layer_fn(move |service| InFlight::watch(service, Arc::clone(&count))));
        Self { in_flight, ..Self::serve(app).await }
    }

    /// Waits until a replica with a monitor has noticed that its clients have left.
    pub(crate) async fn is_left_alone(&self) {
        eventually("the server has noticed", async || self.in_flight.load(Ordering::SeqCst) == 0).await;
    }

    /// Serves an axum app; the client's address is known.
    pub(crate) async fn serve(app: Router) -> Self {
        let (listener, address) = listen().await;
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, app).await.expect("the listener works") });
        Self { address, in_flight: Arc::default(), _server: server }
    }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    (listener, address)
}

/// The layer most tests use: the header `x-user` names the principal, and axum the peer.
pub(crate) fn layer(store: &SharedStore) -> SessionLayerBuilder {
    let builder = SessionLayer::builder(store.clone()).principal(|parts| Ok(user(&parts.headers)));
    builder.peer(|parts| parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0))
}

fn user(headers: &HeaderMap) -> Option<String> {
    Some(headers.get("x-user")?.to_str().ok()?.to_owned())
}
