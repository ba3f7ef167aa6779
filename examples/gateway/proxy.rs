//! The reverse proxy: a tower service that asks the upstream and gives its answer, both as they come, byte for byte.
//!
//! Nothing is read or held back, so calls, event streams and bodies of any length pass. Who stops waiting for an answer
//! closes the connection to the upstream, which is how a modern client cancels.

use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response, Version, header};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::Service;
use tower_mcp_sessions::body::RequestBody;

use crate::failure::Failure;
use crate::hop_by_hop;
use crate::serve::with_causes;
use crate::upstream::Upstream;

/// How long the upstream may take to accept a connection.
const CONNECTED_WITHIN: Duration = Duration::from_secs(2);

/// When a connection on which nothing comes is asked whether anybody is still there.
const ASKED_AFTER: Duration = Duration::from_secs(10);

/// How long a connection lives on which nothing that was sent is acknowledged, and so how long a call waits for an upstream
/// that is gone without a word: its node is dead, or the way to it is cut. An upstream that is there may take as long as it likes.
const GONE_AFTER: Duration = Duration::from_secs(30);

/// How long an unused connection is kept. Servers of Node.js and Python close theirs after 5 s by default, and a request
/// that meets the closing is lost.
const KEPT_IDLE: Duration = Duration::from_secs(4);

/// What the upstream said, or what is said in its place.
type Body = Either<Incoming, Full<Bytes>>;

/// A proxy to one upstream. Clones share its connections.
#[derive(Clone)]
pub struct Proxy {
    upstream: Upstream,
    /// How long an answer may take to begin.
    patience: Option<Duration>,
    client: Client<HttpConnector, RequestBody>,
}

impl Proxy {
    /// A proxy to `upstream`, which may take until the end of `patience` to begin an answer.
    pub fn to(upstream: Upstream, patience: Option<Duration>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECTED_WITHIN));
        connector.set_nodelay(true);
        connector.set_keepalive(Some(ASKED_AFTER));
        connector.set_keepalive_interval(Some(ASKED_AFTER / 2));
        connector.set_keepalive_retries(Some(3));
        #[cfg(target_os = "linux")]
        connector.set_tcp_user_timeout(Some(GONE_AFTER));
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(KEPT_IDLE)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Self { upstream, patience, client }
    }

    async fn forward(self, mut request: Request<RequestBody>) -> Result<Response<Incoming>, Failure> {
        *request.uri_mut() = self.upstream.uri(request.uri().query());
        *request.version_mut() = Version::HTTP_11;
        let headers = request.headers_mut();
        hop_by_hop::remove(headers);
        // The client makes the upstream's own of the one; the other has been answered on this side.
        headers.remove(header::HOST);
        headers.remove(header::EXPECT);
        let answered = self.in_time(self.client.request(request)).await?;
        let mut response = answered.map_err(|error| self.told(&error))?;
        self.stays_here(&response)?;
        *response.version_mut() = Version::HTTP_11;
        hop_by_hop::remove(response.headers_mut());
        remove_cors(response.headers_mut());
        Ok(response)
    }

    /// A redirect within the upstream would lead clients past this gateway, or to where nothing is. Some servers answer so to
    /// `/mcp` when they are at `/mcp/`.
    fn stays_here<B>(&self, response: &Response<B>) -> Result<(), Failure> {
        let location = response.headers().get(header::LOCATION).filter(|_| response.status().is_redirection());
        match location.and_then(|location| self.upstream.own_url(location.to_str().ok()?)) {
            None => Ok(()),
            Some(url) => {
                tracing::warn!(upstream = %self.upstream, "the upstream redirects to {url}; name that with --upstream");
                Err(Failure::Elsewhere)
            }
        }
    }

    async fn in_time<T>(&self, answer: impl Future<Output = T>) -> Result<T, Failure> {
        let Some(patience) = self.patience else { return Ok(answer.await) };
        tokio::time::timeout(patience, answer).await.map_err(|_| {
            tracing::warn!(upstream = %self.upstream, "no answer within {patience:?} (--upstream-timeout)");
            Failure::TooSlow
        })
    }

    /// Tells the log why there is no answer, and names it for the client.
    fn told(&self, error: &Error) -> Failure {
        let (failure, advice) = match error.is_connect() {
            true => (Failure::Unreachable, "start the upstream, or name another one with --upstream"),
            false => (Failure::CutShort, "the upstream's own log may say why"),
        };
        tracing::warn!(upstream = %self.upstream, error = with_causes(error), "no answer; {advice}");
        failure
    }
}

/// Which pages may read an answer is said on this side, for this side's origins. What the upstream says of it would add to that.
fn remove_cors(headers: &mut HeaderMap) {
    let of_cors: Vec<_> = headers.keys().filter(|name| name.as_str().starts_with("access-control-")).cloned().collect();
    for name in of_cors {
        headers.remove(name);
    }
}

impl Service<Request<RequestBody>> for Proxy {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let answer = self.clone().forward(request);
        Box::pin(async {
            Ok(match answer.await {
                Ok(response) => response.map(Either::Left),
                Err(failure) => failure.answer().map(Either::Right),
            })
        })
    }
}
