//! Making the inner service on this replica know a session it has not seen: its handshake is replayed, all or nothing.
//!
//! Single flight: of many first requests at once one replays, the others wait for it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::try_join_all;
use http::request::Parts;
use http::{Response, StatusCode};
use tokio::time::timeout;

use crate::body::ResponseBody;
use crate::engine::Engine;
use crate::engine::binding::Binding;
use crate::engine::handle::{McpSession, Replayed};
use crate::engine::resident::Resident;
use crate::engine::shape;
use crate::engine::verdict::Admission;
use crate::inner::{Ask, Failure, Inner, InnerHead, InnerService, InnerSession};
use crate::protocol::headers;
use crate::protocol::message::{self, Kind, Method};
use crate::rejection::Rejection;
use crate::session::{EndReason, SessionRecord};
use crate::store::{Blueprint, EndedBy};
use crate::stream::early;
use crate::stream::initialize::{self, Form};
use crate::telemetry::text::escaped;

/// How long an inner service may take for a whole replay; some have to wake up first.
const REPLAYED_WITHIN: Duration = Duration::from_secs(30);

fn introduction() -> Bytes {
    Bytes::from_static(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
}

/// How many calls that shape a session are made again at once: one after the other they could take longer than a replay may.
const SHAPED_AT_ONCE: usize = 8;

/// Makes the calls again that shaped the session. One that the inner service now answers with an error is not the session's
/// end; one that it does not answer is.
async fn shape<E>(binding: &Binding, blueprint: &Blueprint) -> Result<(), Failure<E>> {
    let numbered: Vec<_> = blueprint.shapings.iter().enumerate().collect();
    for shapings in numbered.chunks(SHAPED_AT_ONCE) {
        let shaped = shapings.iter().map(|(number, (name, call))| shape_by(binding, name, call, *number));
        try_join_all(shaped).await?;
    }
    Ok(())
}

async fn shape_by<E>(binding: &Binding, name: &str, call: &Bytes, number: usize) -> Result<(), Failure<E>> {
    // Calls under way at the same time need ids of their own, whatever they are kept under.
    let call = shape::numbered(call, number);
    let Some(Kind::Request { id, .. }) = message::kind(&call) else { return Ok(()) };
    let answer = binding.replay(call).await.ok_or(Rejection::InnerLostSession)?;
    let body = early::whole(accepted(answer)?, &id).await?;
    if !message::is_result(&body) {
        tracing::warn!(name = &*escaped(name), "the inner service refused a call that shaped the session");
    }
    Ok(())
}

impl Engine {
    /// The session's binding on this replica, made if there is none.
    pub(crate) async fn binding<S: InnerService>(
        self: &Arc<Self>,
        inner: &mut Inner<S>,
        admission: &Admission,
        parts: &Parts,
    ) -> Result<Arc<Binding>, Failure<S::Failure>> {
        match admission.lease.binding() {
            Some(binding) => Ok(binding),
            None if !admission.record.origin.inner_has_sessions => {
                let binding = Binding::new(InnerSession::default(), inner.later(), InnerHead::of(parts));
                Ok(self.bind(admission, binding.speaking(admission.record.origin.protocol_version), 0))
            }
            None => Box::pin(self.rebind(inner, admission, parts, None)).await,
        }
    }

    /// A binding other than `stale`: the inner service does not know that one any more. Made, or waited for, within
    /// [`REPLAYED_WITHIN`].
    pub(crate) async fn rebind<S: InnerService>(
        self: &Arc<Self>,
        inner: &mut Inner<S>,
        admission: &Admission,
        parts: &Parts,
        stale: Option<&Arc<Binding>>,
    ) -> Result<Arc<Binding>, Failure<S::Failure>> {
        let rebound = timeout(REPLAYED_WITHIN, Box::pin(self.rebind_in_time(inner, admission, parts, stale))).await;
        rebound.unwrap_or_else(|_| Err(lost_or_ended(Rejection::InnerLostSession.into(), admission)))
    }

    async fn rebind_in_time<S: InnerService>(
        self: &Arc<Self>,
        inner: &mut Inner<S>,
        admission: &Admission,
        parts: &Parts,
        stale: Option<&Arc<Binding>>,
    ) -> Result<Arc<Binding>, Failure<S::Failure>> {
        let _alone = match admission.lease.rebinding.try_lock() {
            Ok(alone) => alone,
            Err(_) => {
                inner.release();
                admission.lease.rebinding.lock().await
            }
        };
        match admission.lease.binding() {
            Some(made) if !stale.is_some_and(|stale| Arc::ptr_eq(stale, &made)) => Ok(made),
            Some(_) | None => {
                let made = self.make_binding(inner, admission, parts, stale).await;
                made.map_err(|failure| lost_or_ended(failure, admission))
            }
        }
    }

    /// Ties the session to what was replayed or is shared, and hears that if the client listens: anywhere, or here.
    async fn make_binding<S: InnerService>(
        self: &Arc<Self>,
        inner: &mut Inner<S>,
        admission: &Admission,
        parts: &Parts,
        stale: Option<&Arc<Binding>>,
    ) -> Result<Arc<Binding>, Failure<S::Failure>> {
        let blueprint = self.blueprint(&admission.record).await?;
        if self.shares_inner() {
            let is_heard_here = stale.is_some_and(|stale| stale.was_heard());
            let binding = self.share(inner, admission, parts, stale, &blueprint).await?;
            let binding = self.bind(admission, binding, blueprint.inbox);
            if is_heard_here {
                self.hear_binding(&admission.record.key, &binding);
            }
            return Ok(binding);
        }
        let binding = self.replay(inner, admission, parts, &blueprint).await?;
        let binding = self.bind(admission, binding, blueprint.inbox);
        if blueprint.listened {
            self.hear_binding(&admission.record.key, &binding);
        }
        // What was written meanwhile.
        self.read_inbox_soon(Arc::clone(&admission.lease));
        Ok(binding)
    }

    /// What the inner service has to know for the session's holder. Another holder's inner session is none of who was let in
    /// before: to them, the session is unknown by now.
    async fn blueprint(&self, record: &SessionRecord) -> Result<Blueprint, Rejection> {
        let key = &record.key;
        let stored = self.store.blueprint(key).await.map_err(|error| self.store_failed("blueprint", key, &error))?;
        let own = stored.filter(|blueprint| blueprint.generation == record.generation);
        own.ok_or_else(|| {
            self.drop_verdict(key);
            Rejection::SessionNotFound
        })
    }

    /// The session's handshake. Without it no inner service could ever be told of the session again: it ends for all replicas,
    /// instead of being found on some and not on others.
    async fn handshake<S: InnerService>(
        &self,
        inner: &Inner<S>,
        admission: &Admission,
        parts: &Parts,
        blueprint: &Blueprint,
    ) -> Result<Bytes, Rejection> {
        let is_handshake =
            |kept: &&Bytes| matches!(message::kind(kept), Some(Kind::Request { method: Method::Initialize, .. }));
        if let Some(handshake) = blueprint.handshake.as_ref().filter(is_handshake) {
            return Ok(handshake.clone());
        }
        let SessionRecord { key, generation, .. } = &*admission.record;
        tracing::warn!(session = %key, "the session store has lost the session's handshake; the session ends");
        let otherwise = || Some(Self::binding_to_close(inner, parts));
        self.end(key, EndedBy::Holder(*generation), EndReason::HandshakeLost, otherwise).await?;
        Err(Rejection::SessionNotFound)
    }

    /// Tells the inner service the session's handshake, and what shaped the session since.
    pub(super) async fn replay<S: InnerService>(
        &self,
        inner: &mut Inner<S>,
        admission: &Admission,
        parts: &Parts,
        blueprint: &Blueprint,
    ) -> Result<Binding, Failure<S::Failure>> {
        let handshake = self.handshake(inner, admission, parts, blueprint).await?;
        let (binding, response) = self.replay_handshake(inner, admission, parts, handshake.clone()).await?;
        let answer = initialize::read(accepted(response)?, &handshake, Form::Json).await?;
        let version = answer.accepted.as_ref().map(|accepted| accepted.protocol_version);
        let Some(version) = version else { return Err(Rejection::InnerLostSession.into()) };
        let binding = binding.speaking(version);
        if binding.inner_id().is_some() {
            accepted(binding.replay(introduction()).await.ok_or(Rejection::InnerLostSession)?)?;
            binding.set_introduced();
            shape(&binding, blueprint).await?;
        }
        tracing::debug!(session = %admission.record.key, "handshake replayed to the inner service");
        Ok(binding)
    }

    /// In a task of its own, for whoever waits for it may give up: a session that was opened then is closed with its binding.
    async fn replay_handshake<S: InnerService>(
        &self,
        inner: &mut Inner<S>,
        admission: &Admission,
        parts: &Parts,
        handshake: Bytes,
    ) -> Result<(Binding, Response<ResponseBody>), Failure<S::Failure>> {
        let (head, session) = (InnerHead::of(parts), self.session_handle(admission));
        let mut request = head.post(handshake);
        request.extensions_mut().insert(session.clone());
        request.extensions_mut().insert(Replayed);
        let (call, ask) = (inner.call_apart(request), inner.later());
        let bound = tokio::spawn(async move {
            let mut response = call.await?;
            Ok((bound_by(&mut response, ask, head).of_session(session), response))
        });
        bound.await.map_err(|_| Rejection::InnerPanicked)?.map_err(Failure::Inner)
    }

    /// Tells an inner service that the client confirmed its handshake, if only another replica's was told so. A client that
    /// sends anything but a ping has (MCP 2025-11-25, Lifecycle).
    pub(crate) async fn introduce(&self, resident: &Resident, binding: &Binding) {
        let _alone = resident.rebinding.lock().await;
        if !binding.is_introduced() {
            binding.deliver(introduction(), true).await;
            binding.set_introduced();
        }
    }

    /// What the handler finds in the request's extensions.
    pub(crate) fn session_handle(&self, admission: &Admission) -> McpSession {
        self.session_handle_of(&admission.record)
    }

    /// The same, by the session's record.
    pub(super) fn session_handle_of(&self, record: &Arc<SessionRecord>) -> McpSession {
        McpSession::new(Arc::clone(record), Arc::clone(&self.store), self.config.data_limit)
    }
}

/// The inner service may have forgotten the session because it has just ended.
fn lost_or_ended<E>(failure: Failure<E>, admission: &Admission) -> Failure<E> {
    match failure {
        Failure::Refused(Rejection::InnerLostSession) if admission.lease.ended.is_cancelled() => {
            Rejection::SessionNotFound.into()
        }
        failure => failure,
    }
}

/// The binding an answer to `initialize` makes, its id taken off the answer. What the layer says by itself through it goes
/// with a head like that of the request that opened it.
pub(crate) fn bound_by<B>(answer: &mut Response<B>, ask: Ask, head: InnerHead) -> Binding {
    Binding::new(InnerSession::minted_by(answer), ask, head)
}

/// A refusal that concerns the caller (credentials, load) is the caller's to see; any other means the session is lost here.
fn accepted<E>(mut response: Response<ResponseBody>) -> Result<Response<ResponseBody>, Failure<E>> {
    response.headers_mut().remove(headers::SESSION_ID);
    match response.status() {
        status if status.is_success() => Ok(response),
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::SERVICE_UNAVAILABLE => Err(Failure::Answered(Box::new(response))),
        _ => Err(Rejection::InnerLostSession.into()),
    }
}
