//! The tie between our session and the inner service's own on this replica, and the layer's own way of speaking there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

use crate::body::{RequestBody, ResponseBody};
use crate::engine::ear_signal::EarSignal;
use crate::engine::handle::{McpSession, Replayed};
use crate::inner::{Ask, Template};
use crate::protocol::headers;
use crate::protocol::version::ProtocolVersion;

/// What the inner service on this replica calls the session. Dropping it closes the inner session, so that a handshake that
/// ends half-way, by an error or a panic, leaves none behind.
pub(crate) struct Binding {
    inner_id: Option<HeaderValue>,
    version: ProtocolVersion,
    /// The generation of the session that this was made for.
    generation: u32,
    ask: Ask,
    template: Template,
    is_open: AtomicBool,
    /// The inner service was told `notifications/initialized`.
    introduced: AtomicBool,
    /// A letter came that was not read yet.
    has_mail: AtomicBool,
    /// The task that hears what the inner service says by itself.
    ear: Mutex<Option<AbortOnDropHandle<()>>>,
    /// What that task waits for, and what it found.
    pub(crate) ear_signal: Arc<EarSignal>,
    /// The last letter of the session's inbox that was delivered here; held while letters are being delivered.
    pub(crate) inbox: tokio::sync::Mutex<u64>,
}

impl Binding {
    /// To the session that the inner service named, or, without a name, to an inner service that has none.
    pub(crate) fn new(inner_id: Option<HeaderValue>, ask: Ask, template: Template) -> Self {
        Self {
            introduced: AtomicBool::new(inner_id.is_none()),
            inner_id,
            version: ProtocolVersion::V2025_11_25,
            generation: 0,
            ask,
            template,
            is_open: AtomicBool::new(true),
            has_mail: AtomicBool::new(false),
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

    /// The same, for this generation of the session, with all letters up to one read. Handlers find the session in every
    /// request, as in its client's.
    pub(crate) fn made_for(mut self, generation: u32, session: McpSession, read: u64) -> Self {
        (self.generation, self.inbox) = (generation, read.into());
        self.template.insert_extension(session);
        self
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    pub(crate) fn inner_id(&self) -> Option<&HeaderValue> {
        self.inner_id.as_ref()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// Whether the inner service was told `notifications/initialized`.
    pub(crate) fn is_introduced(&self) -> bool {
        self.introduced.load(Ordering::Acquire)
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

    /// Sends the inner service a message in this session; `None` if it failed.
    pub(crate) async fn post(&self, message: Bytes) -> Option<Response<ResponseBody>> {
        (self.ask)(self.in_session(self.template.post(message))).await
    }

    /// The same, marked as something the inner service is told because another replica's was.
    pub(crate) async fn replay(&self, message: Bytes) -> Option<Response<ResponseBody>> {
        let mut request = self.in_session(self.template.post(message));
        request.extensions_mut().insert(Replayed);
        (self.ask)(request).await
    }

    /// Opens an event stream of the inner service's, from a cursor of its on if there is one.
    pub(crate) async fn get(&self, cursor: Option<&str>) -> Option<Response<ResponseBody>> {
        (self.ask)(self.in_session(self.template.get(cursor))).await
    }

    /// A request made one of this session's.
    pub(crate) fn in_session(&self, mut request: Request<RequestBody>) -> Request<RequestBody> {
        let fields = request.headers_mut();
        fields.insert(headers::PROTOCOL_VERSION, headers::version(self.version));
        if let Some(inner_id) = &self.inner_id {
            fields.insert(headers::SESSION_ID, inner_id.clone());
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

    /// Closes the inner session in the background, once; whoever leaves for good may wait until it is.
    pub(crate) fn close(&self) -> Option<JoinHandle<()>> {
        if !self.is_open.swap(false, Ordering::AcqRel) {
            return None;
        }
        drop(self.ear.lock().unwrap_or_else(PoisonError::into_inner).take());
        let runtime = tokio::runtime::Handle::try_current().ok().filter(|_| self.inner_id.is_some())?;
        let farewell = (self.ask)(self.in_session(self.template.delete()));
        // Whatever it answers, the inner session is no longer ours.
        Some(runtime.spawn(async move { drop(farewell.await) }))
    }
}

impl Drop for Binding {
    fn drop(&mut self) {
        self.close();
    }
}
