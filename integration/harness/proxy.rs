//! A load balancer without sticky sessions: one URL in front of several replicas, each request to the next one.
//!
//! It changes nothing on the way: `Host` and all other headers pass, bodies stream in both directions, and who hangs up
//! on one side is hung up on at the other.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::uri::{Authority, Scheme};
use axum::http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// The running balancer; it stops, and drops its connections, with this value.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    balance: Arc<Balance>,
    task: AbortHandle,
}

/// Whose turn it is.
#[derive(Debug)]
struct Balance {
    upstreams: Vec<SocketAddr>,
    next: AtomicUsize,
    /// The one that gets everything, or [`NOBODY`].
    pinned: AtomicUsize,
    client: Client<HttpConnector, Incoming>,
}

const NOBODY: usize = usize::MAX;

type Body = BoxBody<Bytes, hyper::Error>;

impl Proxy {
    /// Starts a balancer on a free port over the servers at these addresses.
    ///
    /// # Panics
    ///
    /// If there is no port.
    pub(crate) async fn over(upstreams: impl IntoIterator<Item = SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        let balance = Arc::new(Balance {
            upstreams: upstreams.into_iter().collect(),
            next: AtomicUsize::new(0),
            pinned: AtomicUsize::new(NOBODY),
            // No idle connections: which replica a request reaches is decided for each one.
            client: Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http(),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&balance))).abort_handle();
        Self { address, balance, task }
    }

    /// The MCP endpoint behind the balancer.
    pub(crate) fn mcp(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// From now on everything goes to one server, by its place in the list.
    pub(crate) fn pin(&self, upstream: usize) {
        self.balance.pinned.store(upstream, Ordering::Relaxed);
    }

    /// From now on the servers take turns, as they do at first.
    pub(crate) fn round_robin(&self) {
        self.pin(NOBODY);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, balance: Arc<Balance>) {
    let mut connections = JoinSet::new();
    while let Ok((connection, _)) = listener.accept().await {
        connections.spawn(serve(connection, Arc::clone(&balance)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(connection: TcpStream, balance: Arc<Balance>) {
    let forward = service_fn(move |request| forward(request, Arc::clone(&balance)));
    // An error here is a client that left, which is its right.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), forward).await;
}

async fn forward(mut request: Request<Incoming>, balance: Arc<Balance>) -> Result<Response<Body>, Infallible> {
    *request.uri_mut() = at(balance.turn(), request.uri());
    match balance.client.request(request).await {
        Ok(response) => Ok(response.map(BodyExt::boxed)),
        Err(error) => Ok(bad_gateway(&error.to_string())),
    }
}

impl Balance {
    fn turn(&self) -> SocketAddr {
        let pinned = self.pinned.load(Ordering::Relaxed);
        let turn = if pinned == NOBODY { self.next.fetch_add(1, Ordering::Relaxed) } else { pinned };
        self.upstreams[turn % self.upstreams.len()]
    }
}

/// The same path and query on another server.
fn at(server: SocketAddr, uri: &Uri) -> Uri {
    let mut parts = uri.clone().into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(Authority::try_from(server.to_string()).expect("an address is an authority"));
    Uri::from_parts(parts).expect("only scheme and authority have changed")
}

fn bad_gateway(why: &str) -> Response<Body> {
    let body = Full::from(why.to_owned()).map_err(|never| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}
