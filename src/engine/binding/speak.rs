//! What the layer says to the inner service by itself: with the newest head that was admitted to the session, and within a time,
//! since others may be waiting for it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Binding;
use crate::body::{RequestBody, ResponseBody};
use crate::engine::handle::Replayed;
use crate::inner::InnerSession;
use crate::protocol::headers;
use crate::telemetry::metrics;

/// How long the inner service may take to answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

impl Binding {
    /// Keeps the head of a request that was admitted to the session, if it differs from what is kept: what the layer says by
    /// itself goes with the newest one. What was refused for want of authority is said again.
    pub(crate) fn note_head(self: &Arc<Self>, parts: &Parts) {
        if self.head.note(parts) {
            self.ear_signal.head_changed();
            for message in self.undelivered.take() {
                let binding = Arc::clone(self);
                tokio::spawn(async move { binding.deliver(message, false).await });
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

    /// Tells the inner service something whose answer goes nowhere. If it refuses the head that this goes with, it is told
    /// again with the next one.
    pub(crate) async fn deliver(&self, message: Bytes, replayed: bool) {
        let answer = match replayed {
            true => self.replay(message.clone()).await,
            false => self.post(message.clone()).await,
        };
        match answer.map(|answer| answer.status()) {
            Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                tracing::debug!(
                    "the inner service wants other credentials; a message waits for the client's next request"
                );
                self.undelivered.push(message);
            }
            Some(status) if status.is_success() => {}
            status => tracing::warn!(?status, "the inner service did not take a message of the session's"),
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
        self.close_other(&mut answer);
        Some(answer)
    }

    /// An inner service that names another session in an answer has minted one that nobody will use: it is closed.
    pub(crate) fn close_other<B>(&self, answer: &mut Response<B>) {
        if let Some(other) = self.inner.take_other(answer) {
            tracing::warn!("the inner service minted a session nobody asked for; closing it");
            self.farewell(&other);
        }
    }

    /// A request made one of this session's.
    pub(crate) fn in_session(&self, request: Request<RequestBody>) -> Request<RequestBody> {
        self.within(&self.inner, request)
    }

    fn within(&self, inner: &InnerSession, mut request: Request<RequestBody>) -> Request<RequestBody> {
        request.headers_mut().insert(headers::PROTOCOL_VERSION, headers::version(self.version));
        inner.add_to(request.headers_mut());
        if let Some(session) = &self.session {
            request.extensions_mut().insert(session.clone());
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
