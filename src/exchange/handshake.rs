//! `initialize`: the inner service answers first, and only a successful answer of a legacy revision opens a session.
//!
//! All or nothing: if the store does not take the record, or the client has left, the inner service's session is closed again.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode, header};

use super::detach::{Detach, Panicked};
use super::purpose::Takes;
#[cfg(feature = "reconnect")]
use super::reconnect::Returning;
use super::unclaimed::{Introduced, Introduction};
use super::{Answered, Exchange, answer};
use crate::body::ResponseBody;
use crate::engine::binding::Binding;
use crate::engine::rehydrate::bound_by;
use crate::inner::{self, Failure, InnerHead, InnerService};
use crate::protocol::headers;
use crate::protocol::introduction;
use crate::protocol::message::RequestId;
use crate::rejection::Rejection;
use crate::session::SessionOrigin;
use crate::stream::initialize::{self, Form};
use crate::telemetry::text::escaped;

/// How long an `initialize` may take whose client has left. What was opened by then is closed again.
const UNATTENDED: Duration = Duration::from_secs(30);

impl<S: InnerService> Exchange<S> {
    /// Answers an `initialize`. An id in its header is ignored: it never creates nor touches a session.
    pub(crate) async fn handshake(self, parts: Box<Parts>, body: Bytes, id: &RequestId) -> Answered<S> {
        if body.len() > self.engine.config.handshake_limit {
            return Ok(Rejection::HandshakeTooLarge.answer(Some(id)));
        }
        let engine = Arc::clone(&self.engine);
        let handshake = Detach::new(self.run_handshake(parts, body), &engine.drain.calls).at_most(UNATTENDED);
        let outcome = handshake.await.unwrap_or_else(|Panicked| Err(Rejection::InnerPanicked.into()));
        let outcome = outcome.map(Introduction::claim);
        answer::<S>(outcome, Some(id))
    }

    async fn run_handshake(mut self, mut parts: Box<Parts>, body: Bytes) -> Introduced<S> {
        let sent = body.len();
        let (body, entrance) = self.enter(&mut parts, body).await?;
        if body.len() != sent {
            inner::forget_content(&mut parts.headers);
        }
        headers::take_ours(&mut parts.headers);
        // Its answer is read here, so it must not come compressed.
        parts.headers.remove(header::ACCEPT_ENCODING);
        let (head, takes) = (InnerHead::of(&parts), Takes::of(&parts.headers));
        let form = if takes.stream() && !takes.json() { Form::Stream } else { Form::Json };
        let mut response = self.inner.call(inner::whole(*parts, body.clone())).await.map_err(Failure::Inner)?;
        if response.status() == StatusCode::FORBIDDEN {
            self.engine.tell_of_inner_refusal(&head);
        }
        let binding = bound_by(&mut response, self.inner.later(), head);
        let answer = initialize::read(response, &body, form).await?;
        match &answer.accepted {
            Some(accepted) if !accepted.protocol_version.is_modern() => {
                self.engine.note_server(accepted);
                let version = accepted.protocol_version;
                let origin = SessionOrigin {
                    protocol_version: version,
                    client: introduction::client_info(&body),
                    principal: self.principal.clone(),
                    replica: Arc::clone(&self.engine.config.replica),
                    adopted: None,
                    inner_has_sessions: binding.inner_id().is_some(),
                };
                let binding = binding.speaking(version);
                match entrance {
                    Entrance::Opens => self.open(origin, body, binding, answer).await,
                    #[cfg(feature = "reconnect")]
                    Entrance::Returns(returning) => self.hand_over(*returning, origin, body, binding, answer).await,
                }
            }
            Some(_) | None => Ok(Introduction::known(Response::from_parts(answer.parts, answer.body))),
        }
    }

    /// Judges how a client comes in, before the inner service hears of it.
    async fn enter(&mut self, parts: &mut Parts, body: Bytes) -> Result<(Bytes, Entrance), Rejection> {
        #[cfg(feature = "reconnect")]
        let body = match self.returning(parts, body).await? {
            (body, None) => body,
            (body, Some(returning)) => return Ok((body, Entrance::Returns(Box::new(returning)))),
        };
        let address = self.engine.config.address_of(parts);
        let (engine, principal) = (&self.engine, self.principal.as_ref());
        self.inner.aside(pin!(engine.permit_open(address, principal))).await?;
        Ok((body, Entrance::Opens))
    }

    async fn open(
        self,
        origin: SessionOrigin,
        handshake: Bytes,
        binding: Binding,
        answer: initialize::Answer,
    ) -> Introduced<S> {
        let opened = self.engine.open(origin, handshake, binding.inner()).await?;
        self.engine.bind_first(&opened.admission, binding);
        let principal = opened.admission.record.origin.principal.as_ref();
        let principal = principal.and_then(|principal| self.engine.config.label_of(principal));
        tracing::info!(
            session = %opened.id.key(),
            client = &*escaped(&opened.admission.record.origin.client.name),
            principal = principal.as_deref().map(escaped).as_deref(),
            "session_created"
        );
        let mut response: Response<ResponseBody> = Response::from_parts(answer.parts, answer.body);
        response.headers_mut().insert(headers::SESSION_ID, opened.id.header_value());
        if let Some(token) = self.token(&opened.admission).await {
            response.headers_mut().insert(headers::RECONNECT_TOKEN, token);
        }
        Ok(Introduction::unclaimed(response, self.engine, opened.admission))
    }
}

/// How a client comes in.
enum Entrance {
    /// With a new session.
    Opens,
    /// Having proved that a session is its own.
    #[cfg(feature = "reconnect")]
    Returns(Box<Returning>),
}
