//! Modern requests: everything stays inline, so that a client that leaves cancels its call (MCP 2026-07-28, Cancellation).
//!
//! Nothing of them is read. Revision 2026-07-28 has no sessions; an inner service that mints one all the same has been sent
//! an `initialize` under a modern header. Nobody will ever use that session, so it is closed at once, and counts as an opening.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use http::request::Parts;
use http::{Method, Response};
use http_body::Body;
use http_body_util::BodyExt;

use super::overhear::Overheard;
use super::{Answered, Exchange};
use crate::body::{BoxError, Exceeded, RequestBody, ResponseBody};
use crate::engine::binding::Binding;
use crate::inner::{self, InnerHead, InnerService, InnerSession};
use crate::protocol::{headers, introduction};
use crate::rejection::Rejection;

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
        let mut overheard = (parts.method != Method::OPTIONS).then(|| Overheard::new(Arc::clone(&self.engine)));
        let body = body.inspect_frame(move |frame| {
            if let (Some(overheard), Some(data)) = (&mut overheard, frame.data_ref()) {
                overheard.hear(data);
            }
        });
        let (body, exceeded) = RequestBody::limited(body, limit);
        self.pass(parts, body, &exceeded).await
    }

    /// Passes a request whose body was looked at and found modern.
    pub(crate) async fn pass_read(self, parts: Box<Parts>, body: Bytes) -> Answered<S> {
        self.engine.asides.count_modern(introduction::modern_client_info(&body));
        self.pass(parts, RequestBody::whole(body), &Exceeded::default()).await
    }

    async fn pass(mut self, mut parts: Box<Parts>, body: RequestBody, exceeded: &Exceeded) -> Answered<S> {
        headers::take_ours(&mut parts.headers);
        let may_open = (parts.method == Method::POST).then(|| parts.clone());
        let call = AssertUnwindSafe(self.inner.call(inner::passing(*parts, body)));
        let Ok(answered) = call.catch_unwind().await else { return Ok(Rejection::InnerPanicked.answer(None)) };
        // The inner service may well have failed over the body it could not read: the reason is told, not the consequence.
        if exceeded.happened() {
            return Ok(Rejection::BodyTooLarge.answer(None));
        }
        let mut response = answered?;
        match (InnerSession::default().take_other(&mut response), may_open) {
            (Some(minted), Some(parts)) => Box::pin(self.close_minted(minted, &parts, response)).await,
            (_, _) => Ok(response),
        }
    }

    /// Closes a session that the inner service minted for a modern request. Whoever opens too many of them is told so.
    async fn close_minted(
        &mut self,
        minted: InnerSession,
        parts: &Parts,
        response: Response<ResponseBody>,
    ) -> Answered<S> {
        drop(Binding::new(minted, self.inner.later(), InnerHead::of(parts)));
        tracing::warn!(
            "the inner service minted a session for a request of a revision without sessions; it was closed"
        );
        let config = &self.engine.config;
        let (address, principal) = (config.address_of(parts), config.principal_of(parts));
        let engine = Arc::clone(&self.engine);
        match self.inner.aside(pin!(engine.permit_open(address, principal.as_ref()))).await {
            Err(rejection @ Rejection::RateLimited { .. }) => Ok(rejection.answer(None)),
            Ok(()) | Err(_) => Ok(response),
        }
    }
}
