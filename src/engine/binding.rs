//! The tie between our session and the inner service's own on this replica, and the layer's own way of speaking there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::body::{RequestBody, ResponseBody};
use crate::engine::ear_signal::EarSignal;
use crate::engine::handle::{McpSession, Replayed};
use crate::engine::newest_head::NewestHead;
use crate::engine::undelivered::Undelivered;
use crate::inner::{Ask, InnerHead, InnerSession};
use crate::protocol::headers;
use crate::protocol::version::ProtocolVersion;
use crate::telemetry::metrics;

/// How long the inner service may take to answer what the layer says by itself: others may be waiting for it.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// What the inner service on this replica calls the session. Dropping it closes the inner session, so that a handshake that
/// ends half-way, by an error or a panic, leaves none behind.
pub(crate) struct Binding {
    inner: InnerSession,
    /// Which of the session's inner sessions it is, where all replicas share one.
    incarnation: Option<u64>,
    version: ProtocolVersion,
    /// The generation of the session that this was made for.
    generation: u32,
    ask: Ask,
    head: NewestHead,
    /// What handlers find in the extensions of every request.
    session: Option<McpSession>,
    is_open: AtomicBool,
    /// The inner service was told `notifications/initialized`.
    introduced: AtomicBool,
    /// A letter came that was not read yet.
    has_mail: AtomicBool,
    undelivered: Undelivered,
    /// The task that hears what the inner service says by itself.
    ear: Mutex<Option<AbortOnDropHandle<()>>>,
    /// What that task waits for, and what it found.
    pub(crate) ear_signal: Arc<EarSignal>,
    /// The last letter of the session's inbox that was delivered here; held while letters are being delivered.
    pub(crate) inbox: tokio::sync::Mutex<u64>,
}

impl Binding {
    /// To the inner service's session, which it is asked for with this head until there is a newer one.
    pub(crate) fn new(inner: InnerSession, ask: Ask, head: InnerHead) -> Self {
        Self {
            introduced: AtomicBool::new(inner.id().is_none()),
            inner,
            incarnation: None,
            version: ProtocolVersion::V2025_11_25,
            generation: 0,
            ask,
            head: NewestHead::new(head),
            session: None,
            is_open: AtomicBool::new(true),
            has_mail: AtomicBool::new(false),
            undelivered: Undelivered::default(),
            ear: Mutex::default(),
            ear_signal: Arc::default(),
            inbox: tokio::sync::Mutex::default(),
        }
    }

    /// The same, speaking the revision that was negotiated.
    pub(crate) fn speaking(mut self, version: ProtocolVersion) -> Self {
        self.version = version;
        self
    }

    /// The same, to an inner session that all replicas share: it outlives this binding. Whoever opened it says that it is
    /// initialized, or its client does.
    pub(crate) fn shared(mut self, incarnation: u64) -> Self {
        (self.incarnation, self.introduced) = (Some(incarnation), true.into());
        self
    }

    /// This binding's head, and way to the inner service, for the shared inner session that took the place of its own.
    pub(crate) fn renewed(&self, inner: InnerSession, incarnation: u64) -> Self {
        let mut renewed = Self::new(inner, Arc::clone(&self.ask), InnerHead::clone(&self.head.get()));
        (renewed.session, renewed.generation) = (self.session.clone(), self.generation);
        renewed.shared(incarnation).speaking(self.version)
    }

    /// The same, for a session: handlers find it in every request, as in its client's.
    pub(crate) fn of_session(mut self, session: McpSession) -> Self {
        self.session = Some(session);
        self
    }

    /// The same, for this generation of the session, with all letters up to one read.
    pub(crate) fn made_for(mut self, generation: u32, read: u64) -> Self {
        (self.generation, self.inbox) = (generation, read.into());
        self
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// Which of the session's inner sessions it is, where all replicas share one.
    pub(crate) fn incarnation(&self) -> Option<u64> {
        self.incarnation
    }

    /// The inner service's session.
    pub(crate) fn inner(&self) -> &InnerSession {
        &self.inner
    }

    pub(crate) fn inner_id(&self) -> Option<&HeaderValue> {
        self.inner.id()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// Whether the inner service was told `notifications/initialized`.
    pub(crate) fn is_introduced(&self) -> bool {
        self.introduced.load(Ordering::Acquire)
    }

    /// Whether the inner service was told `notifications/initialized` with a replayed handshake, and not by the client.
    pub(crate) fn was_replayed(&self) -> bool {
        self.inner_id().is_some() && self.incarnation.is_none() && self.is_introduced()
    }

    pub(crate) fn set_introduced(&self) {
        self.introduced.store(true, Ordering::Release);
    }

    /// Whether a letter waits that the inner service should know before it is asked anything more.
    pub(crate) fn has_mail(&self) -> bool {
        self.has_mail.load(Ordering::Acquire)
    }

    pub(crate) fn set_mail(&self, waits: bool) {
        self.has_mail.store(waits, Ordering::Release);
    }

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

    /// Whether nobody hears what the inner service says by itself, which others may: nobody tried, or not with the credentials
    /// of whoever asks now.
    pub(crate) fn is_unheard(&self) -> bool {
        self.wants_ear(self.ear.lock().unwrap_or_else(PoisonError::into_inner).as_ref())
    }

    fn wants_ear(&self, ear: Option<&AbortOnDropHandle<()>>) -> bool {
        let is_deaf = ear.is_none_or(AbortOnDropHandle::is_finished) || self.ear_signal.is_refused();
        self.is_open() && is_deaf && !self.ear_signal.has_no_stream()
    }

    /// Whether there was ever an ear at the inner service.
    pub(crate) fn was_heard(&self) -> bool {
        self.ear.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Puts an ear to the inner service, unless there is one; `listen` begins to hear. It ends with the binding.
    pub(crate) fn hear_once(&self, listen: impl FnOnce() -> AbortOnDropHandle<()>) {
        let mut ear = self.ear.lock().unwrap_or_else(PoisonError::into_inner);
        if self.wants_ear(ear.as_ref()) {
            *ear = Some(listen());
        }
    }

    /// Another replica listens: what the inner service says by itself is heard there.
    pub(crate) fn stop_hearing(&self) {
        drop(self.ear.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Closes the inner session in the background, once, unless other replicas use it too; whoever leaves for good may wait until it is.
    pub(crate) fn close(&self) -> Option<JoinHandle<()>> {
        if !self.is_open.swap(false, Ordering::AcqRel) {
            return None;
        }
        self.stop_hearing();
        if self.incarnation.is_some() { None } else { self.farewell(&self.inner) }
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

impl Drop for Binding {
    fn drop(&mut self) {
        self.close();
    }
}
