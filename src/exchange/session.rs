//! A POST or GET of a session: admitted, tied to the inner service's session, sent, and its answer relayed.

use std::sync::Arc;

use bytes::Bytes;
use http::header::Entry;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::Body;

use super::relay::{Purpose, Relay};
use super::{Answered, Exchange, Outcome, answer, detached, translate};
use crate::body::{RequestBody, ResponseBody};
use crate::classify::{self, Declared, Message};
use crate::engine::binding::Binding;
use crate::engine::verdict::Admission;
use crate::inner::{Failure, InnerService};
use crate::protocol::headers;
use crate::rejection::Rejection;

impl<S: InnerService> Exchange<S> {
    /// Answers a message that a client POSTs within its session.
    pub(crate) async fn message(self, parts: Box<Parts>, body: Bytes, message: Message) -> Answered<S> {
        let outcome = match self.admit(&parts, message.declared, message.is_batch).await {
            Ok(admission) => self.serve(admission, parts, body, Purpose::Call(message.id.clone())).await,
            Err(rejection) => Err(rejection.into()),
        };
        answer::<S>(outcome, message.id.as_ref())
    }

    /// Opens the session's stream for what the server has to say by itself, or resumes a stream.
    pub(crate) async fn listen(self, mut parts: Box<Parts>, declared: Declared) -> Answered<S> {
        // It may have declared a body, which goes no further than this.
        parts.headers.remove(header::TRANSFER_ENCODING);
        parts.headers.remove(header::CONTENT_LENGTH);
        let outcome = match self.admit(&parts, declared, false).await {
            Ok(_) if self.engine.drain.is_draining() => Err(Rejection::ShuttingDown.into()),
            Ok(admission) => self.serve(admission, parts, Bytes::new(), Purpose::Listen).await,
            Err(rejection) => Err(rejection.into()),
        };
        answer::<S>(outcome, None)
    }

    async fn admit(&self, parts: &Parts, declared: Declared, is_batch: bool) -> Result<Admission, Rejection> {
        let id = classify::session_id(parts)?;
        let principal = self.engine.config.principal_of(parts);
        let vouched = self.engine.vouch(&id, principal.as_ref(), self.engine.config.freshness).await?;
        classify::fits(vouched.record.origin.protocol_version, declared, is_batch)?;
        self.engine.enter(vouched).await
    }

    /// Not an `async fn`, so that what it is given moves once: into the box that may outlive its client.
    fn serve(
        self,
        admission: Admission,
        parts: Box<Parts>,
        body: Bytes,
        purpose: Purpose,
    ) -> impl Future<Output = Outcome<S>> + Send {
        let engine = Arc::clone(&self.engine);
        detached(&engine, self.run(admission, parts, body, purpose))
    }

    async fn run(mut self, admission: Admission, mut parts: Box<Parts>, body: Bytes, purpose: Purpose) -> Outcome<S> {
        let binding = self.engine.binding(&mut self.inner, &admission, &parts).await?;
        let plain = self.engine.config.plain_answers && headers::accepts_json(&parts.headers);
        self.prepare(&mut parts, &admission, body.len());
        let response = match binding.inner_id() {
            None => self.inner.call(request(parts, None, body)).await.map_err(Failure::Inner)?,
            Some(_) => Box::pin(self.call_bound(&admission, binding, parts, body)).await?,
        };
        self.relay(admission, response, purpose, plain).await
    }

    /// Calls an inner service that has sessions; if it has lost ours, once more after replaying the handshake.
    async fn call_bound(
        &mut self,
        admission: &Admission,
        binding: Arc<Binding>,
        parts: Box<Parts>,
        body: Bytes,
    ) -> Outcome<S> {
        let first = request(parts.clone(), binding.inner_id(), body.clone());
        let response = self.inner.call(first).await.map_err(Failure::Inner)?;
        if response.status() != StatusCode::NOT_FOUND {
            return Ok(response);
        }
        tracing::info!(session = %admission.record.key, "the inner service lost its session; replaying the handshake");
        let renewed = Box::pin(self.engine.rebind(&mut self.inner, admission, &parts, Some(&binding))).await?;
        self.inner.call(request(parts, renewed.inner_id(), body)).await.map_err(Failure::Inner)
    }

    /// Makes the client's headers the inner service's: our id off, the session's version on, the session in the extensions.
    fn prepare(&self, parts: &mut Parts, admission: &Admission, length: usize) {
        let headers = &mut parts.headers;
        headers.remove(headers::SESSION_ID);
        headers.remove(headers::RECONNECT_TOKEN);
        // Event streams are read on their way, so they must not come compressed.
        headers.remove(header::ACCEPT_ENCODING);
        if headers.remove(header::TRANSFER_ENCODING).is_some() {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        if let Entry::Vacant(undeclared) = headers.entry(headers::PROTOCOL_VERSION) {
            undeclared.insert(headers::version(admission.record.origin.protocol_version));
        }
        parts.extensions.insert(self.engine.session_handle(admission));
    }

    async fn relay(
        self,
        admission: Admission,
        response: Response<ResponseBody>,
        purpose: Purpose,
        plain: bool,
    ) -> Outcome<S> {
        let mut response = translate::status(response, &purpose, &admission).await?;
        response.headers_mut().remove(headers::SESSION_ID);
        let mut is_event_stream = headers::has_media_type(response.headers(), &headers::EVENT_STREAM);
        if is_event_stream && plain && matches!(purpose, Purpose::Call(Some(_))) {
            (response, is_event_stream) = Box::pin(translate::without_stream_if_answered(response)).await;
        }
        if !is_event_stream && response.body().size_hint().exact().is_some() {
            return Ok(response);
        }
        let leave = match &purpose {
            Purpose::Listen => self.engine.drain.listens_end.clone(),
            Purpose::Call(_) => self.engine.drain.calls_end.clone(),
        };
        let version = admission.record.origin.protocol_version;
        let relay = Relay { purpose, is_event_stream, lease: admission.lease, leave, version };
        let (mut head, body) = response.into_parts();
        if is_event_stream {
            // It need not stay as long as it was: priming events are kept from old clients, `retry` may be added.
            head.headers.remove(header::CONTENT_LENGTH);
        }
        let (body, pump) = relay.start(body);
        self.engine.drain.calls.spawn(pump);
        Ok(Response::from_parts(head, body))
    }
}

/// The client's request with the inner service's id for the session, if it has one.
fn request(mut parts: Box<Parts>, inner_id: Option<&HeaderValue>, body: Bytes) -> Request<RequestBody> {
    if let Some(inner_id) = inner_id {
        parts.headers.insert(headers::SESSION_ID, inner_id.clone());
    }
    Request::from_parts(*parts, RequestBody::whole(body))
}
