//! A POST of a session: admitted, tied to the inner service's session, sent, and its answer brought to the client.

use std::sync::Arc;

use bytes::Bytes;
use http::header::Entry;
use http::request::Parts;
use http::{Request, Response, StatusCode, header};

use super::outcome::Answering;
use super::purpose::{Purpose, Takes};
use super::recover::still_lost;
use super::{Answered, Exchange, Outcome, answer, detached, with_token};
use crate::body::{RequestBody, ResponseBody};
use crate::classify::{self, Content, Declared, Message};
use crate::engine::binding::Binding;
use crate::engine::inner_lost_session::{self, Asked};
use crate::engine::verdict::Admission;
use crate::inner::{self, Failure, InnerService};
use crate::protocol::headers;
use crate::protocol::message::{Kind, Method};
use crate::rejection::Rejection;
use crate::telemetry::span;

impl<S: InnerService> Exchange<S> {
    /// Answers a message that a client POSTs within its session.
    pub(crate) async fn message(self, parts: Box<Parts>, body: Bytes, message: Message) -> Answered<S> {
        let outcome = match self.admit(&parts, message.declared, message.is_batch()).await {
            Ok(admission) => {
                span::concerns(&admission.record.key);
                if !message.is_ping() {
                    admission.lease.confirm();
                }
                // The token is the holder's: a call that makes the session somebody else's must not be answered with it.
                let due = self.token(&admission).await.map(|token| (token, admission.lease.ended.clone()));
                let outcome = match &message.content {
                    Content::Single(kind) => self.receive(admission, parts, body, kind).await,
                    Content::Batch(kinds) => Box::pin(self.receive_batch(admission, parts, body, kinds)).await,
                };
                with_token(outcome, due.filter(|(_, ended)| !ended.is_cancelled()).map(|(token, _)| token))
            }
            Err(rejection) => Err(rejection.into()),
        };
        answer::<S>(outcome, message.id())
    }

    pub(super) async fn admit(
        &self,
        parts: &Parts,
        declared: Declared,
        is_batch: bool,
    ) -> Result<Admission, Rejection> {
        let id = classify::session_id(parts)?;
        let vouched = self.engine.vouch(&id, self.principal.as_ref(), self.engine.config.freshness).await?;
        classify::fits(vouched.record.origin.protocol_version, declared, is_batch)?;
        self.engine.enter(vouched).await
    }

    /// Answers one message of a session.
    pub(super) async fn receive(self, admission: Admission, parts: Box<Parts>, body: Bytes, kind: &Kind) -> Outcome<S> {
        match kind {
            #[cfg(feature = "reconnect")]
            Kind::Request { id, method } if let Some(call) = self.own_tool_call(*method, &body) => {
                Box::pin(self.reconnect_by_tool(&parts, id, call)).await
            }
            Kind::Request { id, method } => {
                self.serve(admission, parts, body, Purpose::Call(id.clone(), *method)).await
            }
            Kind::Notification(method) => match method {
                Method::Cancelled | Method::RootsChanged => {
                    Box::pin(self.spread(admission, parts, body, *method)).await
                }
                Method::Progress => Box::pin(self.report(admission, parts, body)).await,
                method => self.serve(admission, parts, body, Purpose::Word(*method)).await,
            },
            Kind::Response(id) => Box::pin(self.reply(admission, parts, body, id.as_ref())).await,
        }
    }

    /// Not an `async fn`, so that what it is given moves once: into the box that may outlive its client.
    pub(super) fn serve(
        self,
        admission: Admission,
        parts: Box<Parts>,
        body: Bytes,
        purpose: Purpose,
    ) -> impl Future<Output = Outcome<S>> + Send {
        let engine = Arc::clone(&self.engine);
        detached(&engine, self.run(admission, parts, body, purpose))
    }

    async fn run(mut self, admission: Admission, parts: Box<Parts>, body: Bytes, purpose: Purpose) -> Outcome<S> {
        let binding = self.engine.binding(&mut self.inner, &admission, &parts).await?;
        binding.note_head(&parts);
        binding.ear_signal.request_came();
        let mut introducing = None;
        if !binding.is_introduced() {
            match purpose {
                Purpose::Word(Method::Initialized) => introducing = Some(Introducing::begin(&binding)),
                Purpose::Call(_, Method::Ping) => {}
                Purpose::Call(..) | Purpose::Word(_) | Purpose::Listen => {
                    self.inner.release();
                    Box::pin(self.engine.introduce(&admission.lease, &binding)).await;
                }
            }
        } else if matches!(purpose, Purpose::Word(Method::Initialized)) && binding.was_replayed() {
            // The inner service here was told when the handshake was replayed.
            return Ok(accepted());
        }
        if binding.unread.may_wait() || !self.engine.watch.is_listening() {
            self.inner.release();
            Box::pin(self.engine.read_inbox_in_time(Arc::clone(&admission.lease))).await;
        }
        let takes = Takes::of(&parts.headers);
        let request = if purpose.shapes() { body.clone() } else { Bytes::new() };
        let (response, binding) = self.call_inner(&admission, binding, parts, body).await?;
        if response.status().is_success() {
            introducing.into_iter().for_each(Introducing::succeed);
        }
        #[cfg(feature = "reconnect")]
        let response = match purpose {
            Purpose::Call(_, Method::ToolsList) if self.engine.config.reconnect_tool => {
                Box::pin(self.list_own_tool(response)).await?
            }
            Purpose::Call(..) | Purpose::Word(_) | Purpose::Listen => response,
        };
        let answering = Answering { engine: self.engine, admission, binding, purpose, takes };
        Ok(answering.pass_on(response, &request).await?)
    }

    /// Calls the inner service with a client's request, made its own.
    pub(super) async fn call_inner(
        &mut self,
        admission: &Admission,
        binding: Arc<Binding>,
        mut parts: Box<Parts>,
        body: Bytes,
    ) -> Result<(Response<ResponseBody>, Arc<Binding>), Failure<S::Failure>> {
        self.prepare(&mut parts, admission);
        let (response, binding) = match binding.inner_id() {
            None => {
                let request = request(parts, &binding, body);
                let mut response = self.inner.call(request).await.map_err(Failure::Inner)?;
                binding.note_answer(&mut response);
                (response, binding)
            }
            Some(_) => Box::pin(self.call_bound(admission, binding, parts, body)).await?,
        };
        Ok((response, binding))
    }

    /// Calls an inner service that has sessions; if it has lost ours, once more after replaying the handshake.
    async fn call_bound(
        &mut self,
        admission: &Admission,
        binding: Arc<Binding>,
        parts: Box<Parts>,
        body: Bytes,
    ) -> Result<(Response<ResponseBody>, Arc<Binding>), Failure<S::Failure>> {
        let (mut binding, method) = (binding, parts.method.clone());
        let asked = Asked::by(&method, &body);
        let mut is_replayed = false;
        loop {
            let request = request(parts.clone(), &binding, body.clone());
            let mut answer = self.inner.call(request).await.map_err(Failure::Inner)?;
            binding.note_answer(&mut answer);
            let suspect = match inner_lost_session::judge(answer, asked).await {
                Ok(answer) => return Ok((answer, binding)),
                Err(suspect) if is_replayed => return Ok((still_lost(suspect.answer), binding)),
                Err(suspect) => suspect,
            };
            match Box::pin(self.recover(admission, &binding, &parts, suspect.symptom)).await? {
                None => return Ok((suspect.answer, binding)),
                // One that another replica has opened meanwhile may be lost by now, too.
                Some(renewed) => (is_replayed, binding) = (!renewed.is_taken_up(), renewed),
            }
        }
    }

    /// Makes the client's headers the inner service's: our id off, the session's version on, the session in the extensions.
    pub(super) fn prepare(&self, parts: &mut Parts, admission: &Admission) {
        let headers = &mut parts.headers;
        headers::take_ours(headers);
        // Event streams are read on their way, so they must not come compressed.
        headers.remove(header::ACCEPT_ENCODING);
        if let Entry::Vacant(undeclared) = headers.entry(headers::PROTOCOL_VERSION) {
            undeclared.insert(headers::version(admission.record.origin.protocol_version));
        }
        parts.extensions.insert(self.engine.session_handle(admission));
    }
}

/// A client's `notifications/initialized` on its way to the inner service: nobody else says it meanwhile. Dropping this, because
/// it was refused or never arrived, leaves it to the client, or the next request, to say it again.
struct Introducing(Option<Arc<Binding>>);

impl Introducing {
    fn begin(binding: &Arc<Binding>) -> Self {
        binding.set_introduced();
        Self(Some(Arc::clone(binding)))
    }

    fn succeed(mut self) {
        self.0 = None;
    }
}

impl Drop for Introducing {
    fn drop(&mut self) {
        if let Some(binding) = &self.0 {
            binding.set_not_introduced();
        }
    }
}

/// 202: a notification or an answer was taken.
pub(super) fn accepted() -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::whole(""));
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

/// The client's request as one of the inner service's session.
pub(super) fn request(mut parts: Box<Parts>, binding: &Binding, body: Bytes) -> Request<RequestBody> {
    binding.add_to(&mut parts.headers);
    inner::whole(*parts, body)
}
