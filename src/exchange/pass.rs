//! Modern requests: everything stays inline, so that a client that leaves cancels its call (MCP 2026-07-28, Cancellation).
//!
//! Nothing of them is read. Revision 2026-07-28 has no sessions; an inner service that mints one all the same has been sent
//! an `initialize` under a modern header. Nobody will ever use that session, so it is closed at once, and counts as an opening.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use http::request::Parts;
use http::{Method, Response};
use http_body::Body;
use http_body_util::BodyExt;

use super::carried::Carried;
use super::overhear::{MayInitialize, Overheard};
use super::{Answered, Exchange};
use crate::body::{BoxError, Exceeded, RequestBody, ResponseBody};
use crate::engine::Engine;
use crate::engine::binding::Binding;
use crate::inner::{self, Ask, InnerHead, InnerService, InnerSession};
use crate::protocol::{headers, introduction};
use crate::rejection::Rejection;
use crate::session::Principal;

impl<S: InnerService> Exchange<S> {
    /// Passes a request whose body was not looked at.
    pub(crate) async fn pass_unread<B>(self, parts: Box<Parts>, body: B) -> Answered<S>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let limit = self.engine.config.body_limit;
        if body.size_hint().lower() > limit as u64 {
            return Ok(Rejection::BodyTooLarge.answer(None));
        }
        let may_initialize = MayInitialize::default();
        let is_told = parts.method != Method::OPTIONS;
        let mut overheard = is_told.then(|| Overheard::new(Arc::clone(&self.engine), may_initialize.clone()));
        let body = body.inspect_frame(move |frame| {
            if let (Some(overheard), Some(data)) = (&mut overheard, frame.data_ref()) {
                overheard.hear(data);
            }
        });
        let (body, exceeded) = RequestBody::limited(body, limit);
        self.pass(parts, body, &exceeded, may_initialize).await
    }

    /// Passes a request whose body was looked at and found modern.
    pub(crate) async fn pass_read(self, parts: Box<Parts>, body: Bytes) -> Answered<S> {
        self.engine.asides.count_modern(introduction::modern_client_info(&body));
        let may_initialize = MayInitialize::of(&body);
        self.pass(parts, RequestBody::whole(body), &Exceeded::default(), may_initialize).await
    }

    async fn pass(
        mut self,
        mut parts: Box<Parts>,
        body: RequestBody,
        exceeded: &Exceeded,
        may_initialize: MayInitialize,
    ) -> Answered<S> {
        headers::take_ours(&mut parts.headers);
        let head = Arc::new(Parts::clone(&parts));
        let call = AssertUnwindSafe(self.inner.call_apart(inner::passing(*parts, body))).catch_unwind().boxed();
        let minted = Minted { engine: self.engine, principal: self.principal, ask: self.inner.later(), head };
        let when_left = minted.clone();
        let settle = move |answered: Result<Result<Response<ResponseBody>, S::Failure>, _>| {
            async move {
                if let Ok(Ok(mut response)) = answered {
                    let _ = when_left.close(&mut response).await;
                }
            }
            .boxed()
        };
        let Ok(answered) = Carried::new(call, may_initialize, settle).await else {
            return Ok(Rejection::InnerPanicked.answer(None));
        };
        let mut answered = answered;
        if let Ok(response) = &mut answered
            && let Err(rejection) = minted.close(response).await
        {
            return Ok(rejection.answer(None));
        }
        // The inner service may well have failed over the body it could not read: the reason is told, not the consequence.
        if exceeded.happened() {
            return Ok(Rejection::BodyTooLarge.answer(None));
        }
        answered
    }
}

/// Closes a session that the inner service mints for a modern request.
#[derive(Clone)]
struct Minted {
    engine: Arc<Engine>,
    principal: Option<Principal>,
    ask: Ask,
    head: Arc<Parts>,
}

impl Minted {
    /// Whoever has too many of them minted is told so.
    async fn close(&self, response: &mut Response<ResponseBody>) -> Result<(), Rejection> {
        let Some(minted) = InnerSession::default().take_other(response) else { return Ok(()) };
        drop(Binding::new(minted, Arc::clone(&self.ask), InnerHead::of(&self.head)));
        tracing::debug!(
            "the inner service minted a session for a request of a revision without sessions; it was closed"
        );
        let address = self.engine.config.address_of(&self.head);
        match self.engine.permit_open(address, self.principal.as_ref()).await {
            Err(rejection @ Rejection::RateLimited { .. }) => Err(rejection),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}
