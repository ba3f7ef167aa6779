//! [`Monitor`] and [`SessionFeed`] as tower services: a request is routed, its sender's role found, and one `match` does the
//! rest.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response};
use http_body::Body;
use tower::Service;

use super::access::{Access, Grant, Role};
use super::answer::{self, Refusal};
use super::api;
use super::dashboard;
use super::deed::Deed;
use super::feed::cursor::Cursor;
use super::feed::filter::Filter;
use super::feed::hub::Hub;
use super::feed::pace::Pace;
use super::feed::{Watching, sse, ws};
use super::query::Query;
use super::route::{self, Route};
use crate::body::{BoxError, ResponseBody};
use crate::protocol::headers;

/// The service beside the MCP endpoint. Shares the sessions of the layer it was made by. It answers its routes exactly where it is
/// mounted, which is the root unless [`mounted_at`](super::MonitorBuilder::mounted_at) says otherwise.
///
/// ```
/// use axum::Router;
/// use tower::Layer;
/// use tower_mcp_sessions::monitor::Access;
/// use tower_mcp_sessions::{SessionLayer, store::MemoryStore};
/// # use tower_mcp_sessions::body::RequestBody;
/// # async fn mcp(_: http::Request<RequestBody>) -> Result<http::Response<String>, std::convert::Infallible> {
/// #     Ok(http::Response::new(String::new()))
/// # }
///
/// let sessions = SessionLayer::builder(MemoryStore::new()).build();
/// let app: Router = Router::new()
///     .route_service("/mcp", sessions.layer(tower::service_fn(mcp)))
///     .fallback_service(sessions.monitor().access(Access::local_view()).build());
/// ```
#[derive(Clone)]
pub struct Monitor {
    pub(super) hub: Arc<Hub>,
    pub(super) access: Access,
    pub(super) may_terminate: bool,
    pub(super) pace: Pace,
    /// The path it is mounted at, without a slash at its end; empty at the root.
    pub(super) mount: Arc<str>,
}

/// The live feed over WebSocket alone, protocol `mcp-sessions.v1`, for apps with an API and pages of their own.
///
/// ```
/// # use tower_mcp_sessions::{SessionLayer, monitor::Access, store::MemoryStore};
/// # let sessions = SessionLayer::builder(MemoryStore::new()).build();
/// let app: axum::Router =
///     axum::Router::new().route_service("/live", sessions.monitor().access(Access::local_view()).feed());
/// ```
///
#[doc = include_str!("feed/protocol.md")]
#[derive(Clone)]
pub struct SessionFeed {
    pub(super) hub: Arc<Hub>,
    pub(super) access: Access,
    pub(super) pace: Pace,
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("access", &self.access).finish_non_exhaustive()
    }
}

impl fmt::Debug for SessionFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionFeed").field("access", &self.access).finish_non_exhaustive()
    }
}

type Answer = Result<Response<ResponseBody>, Refusal>;

macro_rules! serve {
    ($service:ident) => {
        impl<B> Service<Request<B>> for $service
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
                let service = self.clone();
                let (parts, body) = request.into_parts();
                async move { Ok(service.respond(parts, body).await.unwrap_or_else(Refusal::into_response)) }.boxed()
            }
        }
    };
}

serve!(Monitor);
serve!(SessionFeed);

impl Monitor {
    async fn respond<B>(self, parts: Parts, body: B) -> Answer
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let engine = Arc::clone(&self.hub.engine);
        engine.start();
        engine.check_origin(&parts)?;
        is_same_origin(&parts)?;
        let path = route::below(&self.mount, parts.uri.path()).ok_or_else(Refusal::no_such_route)?;
        if path.is_empty() {
            return Ok(answer::moved_to_directory(&parts.uri));
        }
        let route = route::find(&parts.method, path)?;
        let role = self.access.role_of(&parts, &engine.config).await;
        match route {
            Route::List => api::list::respond(self.viewing(role)?, &parts).await,
            Route::Health => api::health::respond(self.counting(role)?, self.grant(role), &parts).await,
            Route::Poll => api::poll::respond(self.counting(role)?, role, &parts).await,
            Route::Detail(key) => api::detail::respond(self.viewing(role)?, key).await,
            Route::OpenApi => self.counting(role).map(|_| api::openapi::respond()),
            Route::Exchange => api::exchange::respond(&self.access, &parts, body).await,
            Route::Page | Route::Asset(_) if role.is_none() && !self.access.takes_bearer() => Ok(dashboard::denied()),
            Route::Page => Ok(dashboard::page(&parts)),
            Route::Asset(path) => dashboard::asset(&parts, &path),
            Route::Sse => {
                self.counting(role)?;
                listen(Watching { hub: self.hub, access: self.access, pace: self.pace, role, parts }).await
            }
            Route::WebSocket => upgrade(Watching { hub: self.hub, access: self.access, pace: self.pace, role, parts }),
            Route::Terminate(key) => {
                let deed = Deed { action: "terminate", session: key, role, engine: &engine, parts: &parts };
                let acting = self.acting(role);
                let terminating = async {
                    acting?;
                    api::terminate::respond(&engine, key).await
                };
                deed.conclude(terminating).await
            }
            #[cfg(feature = "reconnect")]
            Route::Reconnect(key) => api::reconnect::respond(engine, parts, body, key).await,
            #[cfg(feature = "reconnect")]
            Route::Token(key) => api::token::respond(&engine, &parts, key, role).await,
            #[cfg(not(feature = "reconnect"))]
            Route::Reconnect(_) | Route::Token(_) => {
                drop(body);
                Err(Refusal::no_reconnect())
            }
        }
    }

    /// What the monitor lets a role do.
    fn grant(&self, role: Option<Role>) -> Grant {
        #[cfg(feature = "reconnect")]
        let gives_tokens = self.hub.engine.token_ttl().is_some();
        #[cfg(not(feature = "reconnect"))]
        let gives_tokens = false;
        let is_admin = role == Some(Role::Admin);
        Grant {
            role,
            may_terminate: is_admin && self.may_terminate,
            reconnect: is_admin && gives_tokens,
            bearer: self.access.takes_bearer(),
        }
    }

    /// For whoever may see counts at least.
    fn counting(&self, role: Option<Role>) -> Result<&Arc<Hub>, Refusal> {
        role.map(|_| &self.hub).ok_or(Refusal::no_access(CLOSED))
    }

    /// For whoever may see sessions.
    fn viewing(&self, role: Option<Role>) -> Result<&Arc<Hub>, Refusal> {
        match role {
            Some(Role::View | Role::Admin) => Ok(&self.hub),
            Some(Role::Counts) => Err(Refusal::no_access(COUNTS_ONLY)),
            None => Err(Refusal::no_access(CLOSED)),
        }
    }

    fn acting(&self, role: Option<Role>) -> Result<(), Refusal> {
        match role {
            Some(Role::Admin) if self.may_terminate => Ok(()),
            Some(Role::Admin) => Err(Refusal::no_access(READ_ONLY)),
            Some(Role::View | Role::Counts) => Err(Refusal::no_access(NOT_ADMIN)),
            None => Err(Refusal::no_access(CLOSED)),
        }
    }
}

impl SessionFeed {
    async fn respond<B>(self, parts: Parts, _: B) -> Answer {
        let engine = Arc::clone(&self.hub.engine);
        engine.start();
        engine.check_origin(&parts)?;
        let role = self.access.role_of(&parts, &engine.config).await;
        upgrade(Watching { hub: self.hub, access: self.access, pace: self.pace, role, parts })
    }
}

/// A viewer whose token can only come with `hello` is upgraded first.
fn upgrade(watching: Watching) -> Answer {
    match watching.role.is_some() || watching.access.takes_bearer() {
        true => ws::respond(watching),
        false => Err(Refusal::no_access(CLOSED)),
    }
}

async fn listen(watching: Watching) -> Answer {
    let query = Query::of(&watching.parts.uri);
    let last = watching.parts.headers.get(headers::LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    let cursor = last.or_else(|| query.get("cursor")).and_then(Cursor::parse);
    sse::respond(watching, cursor, Filter::of(&query)?).await
}

/// A write from another site is refused, also by browsers too old to send `Origin` with it.
fn is_same_origin(parts: &Parts) -> Result<(), Refusal> {
    let site = parts.headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let is_read = matches!(parts.method, Method::GET | Method::HEAD);
    match site {
        Some(b"same-origin" | b"none") | None => Ok(()),
        Some(_) if is_read => Ok(()),
        Some(_) => Err(Refusal::no_access("Writes from another site are refused")),
    }
}

const CLOSED: &str = "You are not let in here. The operator decides with sessions.monitor().access(…): Access::bearer(…) needs Authorization: Bearer; Access::local_view() shows counts and needs a connection from the server's machine to a loopback host, without a proxy, and a layer that knows the peer (SessionLayer::builder(…).peer(…))";
const COUNTS_ONLY: &str =
    "You may see counts here, and no session; that takes a token, or the link that the server made at its start";
const READ_ONLY: &str = "The monitor is read-only here; its operator can change that with allow_terminate(true)";
const NOT_ADMIN: &str = "You may look here, and not act; that takes the admin role";
