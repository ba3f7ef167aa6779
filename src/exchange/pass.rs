//! Modern requests: everything stays inline, so that a client that leaves cancels its call (MCP 2026-07-28, Cancellation).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use http::request::Parts;
use http::{Method, Request};
use http_body::Body;
use http_body_util::BodyExt;

use super::overhear::Overheard;
use super::{Answered, Exchange};
use crate::body::{BoxError, Exceeded, RequestBody};
use crate::inner::InnerService;
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
        let call = AssertUnwindSafe(self.inner.call(Request::from_parts(*parts, body)));
        let Ok(answered) = call.catch_unwind().await else { return Ok(Rejection::InnerPanicked.answer(None)) };
        // The inner service may well have failed over the body it could not read: the reason is told, not the consequence.
        if exceeded.happened() {
            return Ok(Rejection::BodyTooLarge.answer(None));
        }
        let mut response = answered?;
        response.headers_mut().remove(headers::SESSION_ID);
        Ok(response)
    }
}
