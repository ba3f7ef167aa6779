//! What the layer says to the inner service by itself: with the newest head that was admitted to the session, and within a time,
//! since others may be waiting for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Binding;
use crate::body::{RequestBody, ResponseBody};
use crate::engine::handle::Replayed;
use crate::engine::undelivered::Undelivered;
use crate::inner::{InnerHead, InnerSession};
use crate::protocol::headers;
use crate::protocol::message::{self, Kind};
use crate::stream::early;
use crate::telemetry::metrics;

/// How many heads a message is tried with.
const REFUSALS: u8 = 5;
/// How long the inner service may take to answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

impl Binding {
    /// Keeps the head of a request that was admitted to the session, if it differs from what is kept: what the layer says by
    /// itself goes with the newest one. What was refused for want of authority is said again.
    pub(crate) fn note_head(self: &Arc<Self>, parts: &Parts) {
        if self.head.note(parts) {
            self.ear_signal.head_changed();
            let undelivered = self.undelivered.take();
            if !undelivered.is_empty() {
                let binding = Arc::clone(self);
                tokio::spawn(async move { binding.deliver_all(undelivered.into()).await });
            }
        }
    }

    /// Sends the inner service a message in this session; `None` if it failed, or took too long to begin an answer.
    pub(crate) async fn post(&self, message: Bytes) -> Option<Response<ResponseBody>> {
        self.asked_in_time(self.head.get().post(message)).await
    }

    /// The same, marked as something the inner service is told because another replica's was.
    pub(crate) async fn replay(&self, message: Bytes) -> Option<Response<ResponseBody>> {
        let mut request = self.head.get().post(message);
        request.extensions_mut().insert(Replayed);
        self.asked_in_time(request).await
    }

    /// Tells the inner service something whose answer goes nowhere: of a notification or an answer it is dropped after its head, a
    /// call is heard to its response. What it refuses for want of authority is said again with the next head.
    pub(crate) async fn deliver(&self, message: Bytes, replayed: bool) {
        self.deliver_all(VecDeque::from([Undelivered { message, replayed, refusals: 0 }])).await;
    }

    async fn deliver_all(&self, mut pending: VecDeque<Undelivered>) {
        while let Some(next) = pending.pop_front() {
            let head = self.head.get();
            let Some(refused) = self.try_to_deliver(next, &head).await else { continue };
            self.undelivered.push(refused);
            // A newer one may have come while this one was being refused; whoever brought it found nothing to say again.
            if !Arc::ptr_eq(&head, &self.head.get()) {
                pending.extend(self.undelivered.take());
            }
        }
    }

    /// Hands back what was refused for want of authority.
    async fn try_to_deliver(&self, undelivered: Undelivered, head: &InnerHead) -> Option<Undelivered> {
        let mut request = head.post(undelivered.message.clone());
        if undelivered.replayed {
            request.extensions_mut().insert(Replayed);
        }
        let answer = self.asked_in_time(request).await;
        match answer.as_ref().map(Response::status) {
            Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) if undelivered.refusals < REFUSALS => {
                tracing::debug!(
                    "the inner service wants other credentials; a message waits for the client's next request"
                );
                return Some(Undelivered { refusals: undelivered.refusals + 1, ..undelivered });
            }
            Some(status) if status.is_success() => self.hear_to_its_response(&undelivered.message, answer).await,
            status => tracing::warn!(?status, "the inner service did not take a message of the session's"),
        }
        None
    }

    /// A server may end a call whose caller is gone.
    async fn hear_to_its_response(&self, message: &Bytes, answer: Option<Response<ResponseBody>>) {
        if let (Some(Kind::Request { id, .. }), Some(answer)) = (message::kind(message), answer) {
            match timeout(ANSWERED_WITHIN, early::whole(answer, &id)).await {
                Ok(Ok(response)) if message::is_result(&response) => {}
                _ => tracing::warn!("the inner service did not carry out a call of the session's"),
            }
        }
    }

    /// Opens an event stream of the inner service's, from a cursor of its on if there is one. It may take its time.
    pub(crate) async fn get(&self, cursor: Option<&str>) -> Option<Response<ResponseBody>> {
        self.asked(self.head.get().get(cursor)).await
    }

    async fn asked_in_time(&self, request: Request<RequestBody>) -> Option<Response<ResponseBody>> {
        timeout(ANSWERED_WITHIN, self.asked(request)).await.ok().flatten()
    }

    async fn asked(&self, request: Request<RequestBody>) -> Option<Response<ResponseBody>> {
        let mut answer = (self.ask)(self.in_session(request)).await?;
        self.note_answer(&mut answer);
        Some(answer)
    }

    /// Takes off an answer what concerns the layer alone. An inner service that names another session has minted one that nobody
    /// will use: it is closed.
    pub(crate) fn note_answer<B>(&self, answer: &mut Response<B>) {
        self.inner.renew_cookies(answer.headers());
        if let Some(other) = self.inner.take_other(answer) {
            tracing::warn!("the inner service minted a session nobody asked for; closing it");
            self.farewell(&other);
        }
    }

    /// Makes a client's request one of this session's.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap) {
        self.inner.add_to(headers, self.incarnation.is_some());
    }

    /// A request made one of this session's.
    pub(crate) fn in_session(&self, request: Request<RequestBody>) -> Request<RequestBody> {
        self.within(&self.inner, request)
    }

    fn within(&self, inner: &InnerSession, mut request: Request<RequestBody>) -> Request<RequestBody> {
        request.headers_mut().insert(headers::PROTOCOL_VERSION, headers::version(self.version));
        inner.add_to(request.headers_mut(), self.incarnation.is_some());
        if let Some(session) = self.session() {
            request.extensions_mut().insert(session);
        }
        request
    }

    /// Closes a shared inner session, which ends with the client's.
    pub(crate) async fn say_goodbye(&self, inner: &InnerSession) {
        let request = self.within(inner, self.head.get().delete());
        let answer = timeout(ANSWERED_WITHIN, (self.ask)(request)).await.ok().flatten();
        let status = answer.map(|answer| answer.status());
        metrics::inner_session_closed(status.is_some_and(|status| status.is_success()));
        tracing::debug!(?status, "the inner session was closed with its client's");
    }

    /// Says goodbye to an inner session in the background. Whatever that answers, the session is no longer ours.
    pub(crate) fn farewell(&self, inner: &InnerSession) -> Option<JoinHandle<()>> {
        let runtime = tokio::runtime::Handle::try_current().ok().filter(|_| inner.id().is_some())?;
        let farewell = (self.ask)(self.within(inner, self.head.get().delete()));
        Some(runtime.spawn(async move { drop(timeout(ANSWERED_WITHIN, farewell).await) }))
    }
}
