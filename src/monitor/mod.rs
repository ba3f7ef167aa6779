//! [`Monitor`]: what stands beside the MCP endpoint, as one service that any hyper or axum app can mount.
//!
//! Routes, relative to the mount:
//!
//! | route | for whom | what |
//! |---|---|---|
//! | `POST /api/mcp/sessions/{key}/reconnect` | clients | a session back for a reconnect token |
//! | `GET /api/mcp/sessions/{key}/token` | clients | a reconnect token for the holder of the session's id |
//!
//! `{key}` is the session's public name, the first 16 characters of its id; an id never stands in a URL. What these two routes
//! give, they give for a secret; they need no other access.

mod answer;
#[cfg(feature = "reconnect")]
mod reconnect;
mod route;
#[cfg(feature = "reconnect")]
mod token;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use tower::Service;

use self::answer::Refusal;
use self::route::Route;
use crate::body::{BoxError, ResponseBody};
use crate::engine::Engine;

/// Builds a [`Monitor`].
#[must_use = "a builder does nothing until built"]
pub struct MonitorBuilder {
    engine: Arc<Engine>,
}

impl MonitorBuilder {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// Builds the service.
    #[must_use]
    pub fn build(self) -> Monitor {
        Monitor { engine: self.engine }
    }
}

impl fmt::Debug for MonitorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitorBuilder").finish_non_exhaustive()
    }
}

/// The service beside the MCP endpoint. Shares the sessions of the layer it was made by, wherever it is mounted.
///
/// ```
/// use axum::Router;
/// use tower::Layer;
/// use tower_mcp_sessions::{ReconnectKeys, SessionLayer, store::MemoryStore};
/// # use tower_mcp_sessions::body::RequestBody;
/// # async fn mcp(_: http::Request<RequestBody>) -> Result<http::Response<String>, std::convert::Infallible> {
/// #     Ok(http::Response::new(String::new()))
/// # }
///
/// let keys = ReconnectKeys::random().expect("the operating system has randomness");
/// let sessions = SessionLayer::builder(MemoryStore::new()).reconnect(keys).build();
/// let app: Router = Router::new()
///     .route_service("/mcp", sessions.layer(tower::service_fn(mcp)))
///     .fallback_service(sessions.monitor().build());
/// ```
#[derive(Clone)]
pub struct Monitor {
    engine: Arc<Engine>,
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for Monitor
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let engine = Arc::clone(&self.engine);
        let (parts, body) = request.into_parts();
        async move { Ok(respond(engine, parts, body).await.unwrap_or_else(Refusal::into_response)) }.boxed()
    }
}

async fn respond<B>(engine: Arc<Engine>, parts: Parts, body: B) -> Result<Response<ResponseBody>, Refusal>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    engine.start();
    engine.config.origins.check(&parts)?;
    match route::find(&parts.method, parts.uri.path())? {
        #[cfg(feature = "reconnect")]
        Route::Reconnect(key) => reconnect::respond(engine, parts, body, key).await,
        #[cfg(feature = "reconnect")]
        Route::Token(key) => token::respond(&engine, &parts, key).await,
        #[cfg(not(feature = "reconnect"))]
        Route::Reconnect(_) | Route::Token(_) => {
            drop(body);
            Err(Refusal::no_reconnect())
        }
    }
}
