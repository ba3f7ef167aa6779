//! [`SessionLayer`]: the handle on what runs behind it. What can be chosen about it is in `builder`.

mod builder;

use std::fmt;
use std::sync::Arc;

use tower::Layer;

use crate::engine::Engine;
use crate::engine::deployment::StartError;
#[cfg(feature = "monitor")]
use crate::monitor::{MonitorBuilder, feed::hub::Hub};
use crate::service::SessionService;
use crate::store::{Store, StoreError};

pub use self::builder::{ConfigError, SessionLayerBuilder};

/// Keeps the sessions of the MCP service it wraps. See the [crate's documentation](crate) for what that means.
///
/// One layer per MCP endpoint: all services made from it, and all its clones, share the same sessions and take turns at the
/// same inner service. Its background tasks start with the first request and stop with [`shutdown`](Self::shutdown), or when
/// the last clone and the last service are dropped.
///
/// ```
/// use tower::ServiceBuilder;
/// use tower_mcp_sessions::{SessionLayer, store::MemoryStore};
/// # use tower_mcp_sessions::body::{RequestBody, ResponseBody};
/// # async fn mcp(_: http::Request<RequestBody>) -> Result<http::Response<String>, std::convert::Infallible> {
/// #     Ok(http::Response::new(String::new()))
/// # }
///
/// let sessions = SessionLayer::builder(MemoryStore::new()).build();
/// let service = ServiceBuilder::new().layer(sessions.clone()).service_fn(mcp);
/// ```
#[derive(Clone)]
pub struct SessionLayer {
    engine: Arc<Engine>,
    #[cfg(feature = "monitor")]
    hub: Arc<Hub>,
}

impl SessionLayer {
    fn new(engine: Arc<Engine>) -> Self {
        Self {
            #[cfg(feature = "monitor")]
            hub: Arc::new(Hub::new(Arc::clone(&engine))),
            engine,
        }
    }
}

impl SessionLayer {
    /// Starts building a layer whose sessions live in `store`.
    pub fn builder(store: impl Store) -> SessionLayerBuilder {
        SessionLayerBuilder::new(Arc::new(store))
    }

    /// Begins the background tasks and says what this process is, before the first request does so. Call it at start, to be
    /// told whether the store is there and is the right one:
    ///
    /// ```
    /// # use tower_mcp_sessions::{SessionLayer, store::MemoryStore};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sessions = SessionLayer::builder(MemoryStore::new()).deployment("billing").build();
    /// sessions.start().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the sessions in the store are those of a deployment with another [name](SessionLayerBuilder::deployment), or the store
    /// cannot be reached. Without this call such a process answers every request 503, and logs why.
    pub async fn start(&self) -> Result<(), StartError> {
        self.engine.begin_serving();
        self.engine.start();
        self.engine.announce().await
    }

    /// Watches sessions that others serve: a process that mounts nothing but the [`monitor`](Self::monitor) of what lives in
    /// `store`. It opens no sessions and ends none: as long as nothing is wrapped with it, a layer sweeps nothing, however it was
    /// built.
    ///
    /// ```
    /// # use tower_mcp_sessions::{SessionLayer, store::MemoryStore};
    /// let monitor = SessionLayer::watch(MemoryStore::new()).monitor();
    /// ```
    #[must_use]
    pub fn watch(store: impl Store) -> Self {
        Self::builder(store).build()
    }

    /// Gives every session in the store the lifetimes this layer was built with, in place of those it was opened with; returns
    /// how many sessions there were. The sweep goes by them at once.
    ///
    /// Lifetimes belong to the session: without this, a changed setting holds for the sessions opened from then on.
    ///
    /// A replica tells the store of a session that it holds open every 15 seconds at most, and hears of new lifetimes with the
    /// session's next request: given an idle timeout of less than half a minute, a session in use may be found idle, or over, first.
    ///
    /// # Errors
    ///
    /// If the store fails on the way. Some sessions may have the new lifetimes then: call it again.
    pub async fn apply_lifetimes(&self) -> Result<u64, StoreError> {
        self.engine.store.apply_lifetimes(&self.engine.config.lifetimes).await
    }

    /// Whether this layer lets in pages of the request's `Origin`, by the same rule by which it refuses all others with 403: see
    /// [`allow_origin`](SessionLayerBuilder::allow_origin). True if there is no `Origin`. It is the question that a CORS layer
    /// outside has to ask, since this layer sends no CORS headers; [Browsers](crate#browsers) shows one.
    pub fn allows_origin(&self, parts: &http::request::Parts) -> bool {
        self.engine.config.origins.allows_origin(parts)
    }

    /// What stands beside the MCP endpoint: an API, the live feed, and where clients reconnect over plain HTTP. Mount it as
    /// the fallback of the same app, or under a prefix. See [`monitor`](crate::monitor).
    #[cfg(feature = "monitor")]
    pub fn monitor(&self) -> MonitorBuilder {
        MonitorBuilder::new(Arc::clone(&self.hub))
    }

    /// Tells the clients of open streams to come back elsewhere: listening streams end at once, streams of calls when the
    /// call is answered or the [drain timeout](SessionLayerBuilder::drain_timeout) is over. Other requests are still served.
    ///
    /// Call this when the process is told to stop, before waiting for its connections to close.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub fn close_streams(&self) {
        self.engine.close_streams();
    }

    /// Leaves in good order: closes streams as [`close_streams`](Self::close_streams) does, waits for calls in flight (at most
    /// the drain timeout), tells the store of the last activity, and stops the background tasks. Sessions live on in the store.
    pub async fn shutdown(&self) {
        self.engine.shut_down().await;
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.engine.begin_serving();
        SessionService::new(inner, Arc::clone(&self.engine))
    }
}

impl fmt::Debug for SessionLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayer").field("replica", &self.engine.config.replica).finish_non_exhaustive()
    }
}
