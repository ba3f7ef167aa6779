//! A load balancer without sticky sessions: one URL in front of several replicas, each request to the next one that listens.
//!
//! It changes nothing on the way: `Host` and all other headers pass, bodies stream in both directions, and who hangs up
//! on one side is hung up on at the other.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{client, server};
use hyper_util::rt::TokioIo;
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
    forwarded: AtomicUsize,
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
            forwarded: AtomicUsize::new(0),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&balance))).abort_handle();
        Self { address, balance, task }
    }

    /// The MCP endpoint behind the balancer.
    pub(crate) fn mcp(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// How many requests it has taken so far.
    pub(crate) fn forwarded(&self) -> usize {
        self.balance.forwarded.load(Ordering::Relaxed)
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
    let connection = TokioIo::new(prompt(connection));
    // An error here is a client that left, which is its right.
    let _ = server::conn::http1::Builder::new().serve_connection(connection, forward).await;
}

async fn forward(request: Request<Incoming>, balance: Arc<Balance>) -> Result<Response<Body>, Infallible> {
    balance.forwarded.fetch_add(1, Ordering::Relaxed);
    let connection = match balance.connection().await {
        Ok(connection) => connection,
        Err(error) => return Ok(bad_gateway(&error.to_string())),
    };
    match send(request, connection).await {
        Ok(response) => Ok(response.map(BodyExt::boxed)),
        Err(error) => Ok(bad_gateway(&error.to_string())),
    }
}

/// Each request has a connection of its own: which server it reaches is decided for each one.
async fn send(request: Request<Incoming>, connection: TcpStream) -> hyper::Result<Response<Incoming>> {
    let (mut sender, exchange) = client::conn::http1::handshake(TokioIo::new(connection)).await?;
    tokio::spawn(exchange);
    sender.send_request(request).await
}

impl Balance {
    /// A connection to the server whose turn it is, or else to the next one that listens. Only the first if it is pinned.
    async fn connection(&self) -> io::Result<TcpStream> {
        let pinned = self.pinned.load(Ordering::Relaxed);
        if pinned != NOBODY {
            return TcpStream::connect(self.upstreams[pinned]).await.map(prompt);
        }
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let mut refused = io::Error::other("there is no server");
        for turn in first..first + self.upstreams.len() {
            match TcpStream::connect(self.upstreams[turn % self.upstreams.len()]).await {
                Ok(connection) => return Ok(prompt(connection)),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }
}

/// Small messages do not wait for each other.
fn prompt(connection: TcpStream) -> TcpStream {
    // If the other side is gone already, the next read says so.
    let _ = connection.set_nodelay(true);
    connection
}

fn bad_gateway(why: &str) -> Response<Body> {
    let body = Full::from(why.to_owned()).map_err(|never| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}
