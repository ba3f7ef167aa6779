//! Making the inner service on this replica know a session it has not seen: its handshake is replayed, all or nothing.
//!
//! Single flight: of many first requests at once one replays, the others wait for it.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};

use crate::body::ResponseBody;
use crate::engine::Engine;
use crate::engine::binding::Binding;
use crate::engine::handle::{McpSession, Replayed};
use crate::engine::verdict::Admission;
use crate::inner::{Failure, Inner, InnerService, Template};
use crate::protocol::headers;
use crate::rejection::Rejection;
use crate::stream::initialize;

const INITIALIZED: &[u8] = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

impl Engine {
    /// The session's binding on this replica, made if there is none.
    pub(crate) async fn binding<S: InnerService>(
        &self,
        inner: &mut Inner<S>,
        admission: &Admission,
        parts: &Parts,
    ) -> Result<Arc<Binding>, Failure<S::Failure>> {
        match admission.lease.binding() {
            Some(binding) => Ok(binding),
            None if !admission.record.origin.inner_has_sessions => Ok(self.bind(admission, Binding::sessionless())),
            None => Box::pin(self.rebind(inner, admission, parts, None)).await,
        }
    }

    /// A binding other than `stale`: the inner service does not know that one any more.
    pub(crate) async fn rebind<S: InnerService>(
        &self,
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
                let replayed = self.replay(inner, admission, parts).await;
                let binding = replayed.map_err(|failure| lost_or_ended(failure, admission))?;
                tracing::debug!(session = %admission.record.key, "handshake replayed to the inner service");
                Ok(self.bind(admission, binding))
            }
        }
    }

    async fn replay<S: InnerService>(
        &self,
        inner: &mut Inner<S>,
        admission: &Admission,
        parts: &Parts,
    ) -> Result<Binding, Failure<S::Failure>> {
        let key = &admission.record.key;
        let stored = self.store.handshake(key).await.map_err(|error| self.store_failed("handshake", key, &error))?;
        let handshake = stored.ok_or(Rejection::SessionNotFound)?;
        let template = self.replay_template(admission, parts);
        let mut response = inner.call(template.post(handshake)).await.map_err(Failure::Inner)?;
        let binding = bound_by(&mut response, inner, &template);
        let answer = initialize::read(accepted(response)?).await.map_err(|_| Rejection::InnerAnswerUnreadable)?;
        let Some(version) = answer.version else { return Err(Rejection::InnerLostSession.into()) };
        let Some(inner_id) = binding.inner_id().cloned() else { return Ok(binding) };
        let mut initialized = template.post(Bytes::from_static(INITIALIZED));
        initialized.headers_mut().insert(headers::SESSION_ID, inner_id);
        initialized.headers_mut().insert(headers::PROTOCOL_VERSION, headers::version(version));
        accepted(inner.call(initialized).await.map_err(Failure::Inner)?)?;
        Ok(binding)
    }

    fn replay_template(&self, admission: &Admission, parts: &Parts) -> Template {
        let mut template = Template::of(parts);
        template.insert_extension(Replayed);
        template.insert_extension(self.session_handle(admission));
        template
    }

    /// What the handler finds in the request's extensions.
    pub(crate) fn session_handle(&self, admission: &Admission) -> McpSession {
        McpSession::new(Arc::clone(&admission.record), Arc::clone(&self.store), self.config.data_limit)
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

/// The binding an answer to `initialize` makes, its id taken off the answer. It closes the inner session with a request like
/// the one that opened it.
pub(crate) fn bound_by<S: InnerService, B>(answer: &mut Response<B>, inner: &Inner<S>, template: &Template) -> Binding {
    let Some(inner_id) = answer.headers_mut().remove(headers::SESSION_ID) else { return Binding::sessionless() };
    let service = inner.later();
    let farewell = template.delete(inner_id.clone());
    let close = Box::new(move || -> futures::future::BoxFuture<'static, ()> {
        Box::pin(async move {
            // Whatever it answers, the inner session is no longer ours.
            let _ = service.call_when_ready(farewell).await;
        })
    });
    Binding::to_session(inner_id, close)
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
