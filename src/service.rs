//! [`SessionService`]: the hot path. A request is classified, then one `match` sends it on its way.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, header};
use http_body::Body;
use tower::Service;
use tracing::Instrument;

use crate::body::{BoxError, RequestBody, ResponseBody, Unreadable, drain, read_request};
use crate::classify::{self, Declared, Head, Post};
use crate::engine::Engine;
use crate::exchange::{Answered, Exchange};
use crate::future::ResponseFuture;
use crate::inner::{Inner, InnerService};
use crate::protocol::{headers, message};
use crate::refusal::Refusal;
use crate::rejection::Rejection;
use crate::session::Principal;
use crate::telemetry::metrics::RequestTimer;
use crate::telemetry::span;

/// An MCP service whose sessions are kept by a [`SessionLayer`](crate::SessionLayer).
///
/// Answers in place of the inner service where a session is concerned; its error type is the inner service's own.
pub struct SessionService<S> {
    /// Every request calls a clone of this.
    template: Arc<S>,
    /// The clone that the next request will call, once there is one.
    next: Option<S>,
    engine: Arc<Engine>,
}

impl<S> SessionService<S> {
    pub(crate) fn new(inner: S, engine: Arc<Engine>) -> Self {
        Self { template: Arc::new(inner), next: None, engine }
    }
}

impl<S> Clone for SessionService<S> {
    /// Costs no clone of the inner service; readiness is not cloned.
    fn clone(&self) -> Self {
        Self { template: Arc::clone(&self.template), next: None, engine: Arc::clone(&self.engine) }
    }
}

impl<S> fmt::Debug for SessionService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionService").finish_non_exhaustive()
    }
}

impl<S, B> Service<Request<B>> for SessionService<S>
where
    S: InnerService + Service<Request<RequestBody>, Error = <S as InnerService>::Failure>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody>;
    type Error = <S as InnerService>::Failure;
    type Future = ResponseFuture<Self::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.next.get_or_insert_with(|| S::clone(&self.template)).poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let inner = Inner::new(self.next.take(), Arc::clone(&self.template));
        let exchange = Exchange { engine: Arc::clone(&self.engine), principal: None, inner };
        let (parts, body) = request.into_parts();
        ResponseFuture::new(respond(exchange, Box::new(parts), body))
    }
}

/// Heads travel boxed and rare kinds of requests are boxed whole: the future of the common one stays small, and so cheap to
/// make and move.
async fn respond<S, B>(mut exchange: Exchange<S>, parts: Box<Parts>, body: B) -> Answered<S>
where
    S: InnerService,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    exchange.engine.start();
    let mut timer = RequestTimer::start();
    let head = doors(&exchange.engine, &parts).and_then(|principal| {
        exchange.principal = principal;
        classify::head(&parts).map_err(Refusal::of)
    });
    let answered = match head {
        Ok(Head::PassThrough) => {
            timer.note_modern();
            let span = span::of_head(&parts);
            Box::pin(exchange.pass_unread(parts, body).instrument(span)).await
        }
        Ok(Head::Post(declared)) => respond_to_post(exchange, parts, declared, body, &mut timer).await,
        Ok(Head::Listen(declared)) => Box::pin(exchange.listen(parts, declared)).await,
        Ok(Head::Close(declared)) => Box::pin(exchange.close(parts, declared)).await,
        Err(refusal) => Ok(refusal.answer()),
    };
    timer.answered(&answered);
    answered
}

/// What both eras pass, before anything else is looked at: where a request comes from, whether this process may serve at all, and
/// who the request acts for. Preflights of browsers carry no credentials.
fn doors(engine: &Engine, parts: &Parts) -> Result<Option<Principal>, Box<Refusal>> {
    engine.check_origin(parts).map_err(Refusal::of)?;
    if engine.is_elsewhere() {
        return Err(Refusal::of(Rejection::StoreUnavailable));
    }
    if parts.method == Method::OPTIONS { Ok(None) } else { engine.config.principal_of(parts) }
}

async fn respond_to_post<S, B>(
    mut exchange: Exchange<S>,
    parts: Box<Parts>,
    declared: Declared,
    body: B,
    timer: &mut RequestTimer,
) -> Answered<S>
where
    S: InnerService,
    B: Body<Data = Bytes>,
{
    let is_expected = parts.headers.contains_key(header::EXPECT);
    if headers::is_encoded(&parts.headers) {
        if !is_expected {
            exchange.inner.aside(Box::pin(drain(pin!(body))).as_mut()).await;
        }
        return Ok(Rejection::BodyEncoded.answer(None));
    }
    let config = &exchange.engine.config;
    let body = match exchange.inner.aside(pin!(read_request(body, config.body_limit, is_expected))).await {
        Ok(body) => body,
        Err(Unreadable::TooLong) => return Ok(Rejection::BodyTooLarge.answer(None)),
        Err(Unreadable::Broken) => return Ok(Rejection::BodyBroken.answer(None)),
    };
    let payload = message::read(&body, config.batch_limit);
    let span = span::of_message(&parts, &body);
    match classify::post(declared, payload) {
        Ok(Post::PassThrough) => {
            timer.note_modern();
            Box::pin(exchange.pass_read(parts, body).instrument(span)).await
        }
        Ok(Post::Handshake(id)) => Box::pin(exchange.handshake(parts, body, &id).instrument(span)).await,
        Ok(Post::Message(message)) => exchange.message(parts, body, message).instrument(span).await,
        Err((rejection, id)) => Ok(rejection.answer(id.as_ref())),
    }
}
