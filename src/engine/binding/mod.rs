//! The tie between our session and the inner service's own on this replica. What the layer says there by itself is in `speak`.

mod speak;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use http::HeaderValue;
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

use crate::engine::ear_signal::EarSignal;
use crate::engine::handle::McpSession;
use crate::engine::newest_head::NewestHead;
use crate::engine::undelivered::Waiting;
use crate::engine::unread::Unread;
use crate::inner::{Ask, InnerHead, InnerSession};
use crate::protocol::version::ProtocolVersion;

/// What the inner service on this replica calls the session. Dropping it closes the inner session, so that a handshake that
/// ends half-way, by an error or a panic, leaves none behind.
pub(crate) struct Binding {
    inner: InnerSession,
    /// Which of the session's inner sessions it is, where all replicas share one.
    incarnation: Option<u64>,
    /// It is another replica's that was taken up from the store.
    is_taken_up: bool,
    version: ProtocolVersion,
    /// The generation of the session that this is for.
    generation: AtomicU32,
    ask: Ask,
    head: NewestHead,
    /// What handlers find in the extensions of every request.
    session: RwLock<Option<McpSession>>,
    is_open: AtomicBool,
    /// The inner service was told `notifications/initialized`.
    introduced: AtomicBool,
    /// Whether a letter may wait that the inner service should know before it is asked anything more.
    pub(crate) unread: Unread,
    /// What it refused for want of authority.
    undelivered: Waiting,
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
            is_taken_up: false,
            version: ProtocolVersion::V2025_11_25,
            generation: AtomicU32::new(0),
            ask,
            head: NewestHead::new(head),
            session: RwLock::default(),
            is_open: AtomicBool::new(true),
            unread: Unread::default(),
            undelivered: Waiting::default(),
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

    /// The same, to one that another replica has opened: it may be lost by now.
    pub(crate) fn taken_up(mut self) -> Self {
        self.is_taken_up = true;
        self
    }

    pub(crate) fn is_taken_up(&self) -> bool {
        self.is_taken_up
    }

    /// This binding's head, and way to the inner service, for the shared inner session that took the place of its own.
    pub(crate) fn renewed(&self, inner: InnerSession, incarnation: u64) -> Self {
        let mut renewed = Self::new(inner, Arc::clone(&self.ask), InnerHead::clone(&self.head.get()));
        (renewed.session, renewed.generation) = (self.session().into(), self.generation().into());
        renewed.shared(incarnation).taken_up().speaking(self.version)
    }

    /// The same, for a session: handlers find it in every request, as in its client's.
    pub(crate) fn of_session(mut self, session: McpSession) -> Self {
        self.session = Some(session).into();
        self
    }

    /// The same, for this generation of the session, with all letters up to one read.
    pub(crate) fn made_for(mut self, generation: u32, read: u64) -> Self {
        (self.generation, self.inbox) = (generation.into(), read.into());
        self
    }

    /// The way to the inner service, and a head without authority.
    pub(crate) fn way(&self) -> (Ask, InnerHead) {
        (Arc::clone(&self.ask), self.head.get().without_authority())
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation.load(Ordering::Acquire)
    }

    /// What handlers find in the extensions of every request.
    fn session(&self) -> Option<McpSession> {
        self.session.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The session has another holder from this generation on, and the same client: what the inner service knows of it stays.
    pub(crate) fn pass_on(&self, generation: u32, session: McpSession) {
        *self.session.write().unwrap_or_else(PoisonError::into_inner) = Some(session);
        self.generation.store(generation, Ordering::Release);
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

    /// It was about to be told so, and did not take it.
    pub(crate) fn set_not_introduced(&self) {
        self.introduced.store(false, Ordering::Release);
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

    /// Closes the inner session in the background, once, unless other replicas use it too. Whoever leaves for good may wait
    /// until it is.
    pub(crate) fn close(&self) -> Option<JoinHandle<()>> {
        if !self.is_open.swap(false, Ordering::AcqRel) {
            return None;
        }
        self.stop_hearing();
        if self.incarnation.is_some() { None } else { self.farewell(&self.inner) }
    }
}

impl Drop for Binding {
    fn drop(&mut self) {
        self.close();
    }
}
