//! What is done about an answer that speaks of a lost session: a ping is asked back, and only if that finds the session lost too
//! is the handshake replayed.
//!
//! Where the session lives after all, where nobody can tell, or where the ping or the replay meets an expired login, the answer
//! stays what it was.

use std::sync::Arc;

use http::request::Parts;
use http::{Response, StatusCode};
use tokio::time::{Instant, timeout};

use super::Exchange;
use crate::body::ResponseBody;
use crate::engine::binding::Binding;
use crate::engine::inner_lost_session::{self, PATIENCE, Pinged, Symptom};
use crate::engine::verdict::Admission;
use crate::inner::{Failure, InnerHead, InnerService};

impl<S: InnerService> Exchange<S> {
    /// A binding in which to send the request once more; `None` if the answer stands.
    ///
    /// One request of a session asks at a time, and the others go by what it found; none waits longer than it may itself take.
    pub(super) async fn recover(
        &mut self,
        admission: &Admission,
        binding: &Arc<Binding>,
        parts: &Parts,
        symptom: Symptom,
    ) -> Result<Option<Arc<Binding>>, Failure<S::Failure>> {
        self.inner.release();
        let lease = &admission.lease;
        let Ok(mut recovery) = timeout(PATIENCE, lease.recovery.lock()).await else { return Ok(None) };
        let is_renewed = lease.binding().is_some_and(|current| !Arc::ptr_eq(&current, binding));
        if !is_renewed {
            let now = Instant::now();
            if recovery.is_disproved(symptom, now) || !recovery.may_replay(now) {
                return Ok(None);
            }
            match self.ping(binding, parts).await {
                Pinged::Lost => {}
                Pinged::Lives => {
                    recovery.disprove(symptom, Instant::now());
                    return Ok(None);
                }
                Pinged::Unknown => return Ok(None),
            }
            tracing::info!(session = %admission.record.key, "the inner service lost its session; replaying the handshake");
        }
        match Box::pin(self.engine.rebind(&mut self.inner, admission, parts, Some(binding))).await {
            Ok(renewed) => {
                if !is_renewed && !renewed.is_taken_up() {
                    recovery.note_replay(Instant::now());
                }
                Ok(Some(renewed))
            }
            // A 404 is nothing to show to a client whose session lives: there the refusal itself is what it gets.
            Err(Failure::Answered(refusal))
                if is_login(refusal.status()) && symptom.status != StatusCode::NOT_FOUND =>
            {
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Asks by a ping with the head of this request.
    async fn ping(&mut self, binding: &Binding, parts: &Parts) -> Pinged {
        let Some(id) = self.engine.ping_id() else { return Pinged::Unknown };
        let head = InnerHead::of(parts);
        let inner = &mut self.inner;
        let send = async |message| {
            let mut answer = inner.call(binding.in_session(head.post(message))).await.ok()?;
            binding.note_answer(&mut answer);
            Some(answer)
        };
        inner_lost_session::ping(&id, send).await
    }
}

fn is_login(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// An answer that speaks of a lost session even after a replay, whatever its status: [`translate`](super::translate) makes of a
/// 404 what a client may see.
pub(super) fn still_lost(mut answer: Response<ResponseBody>) -> Response<ResponseBody> {
    *answer.status_mut() = StatusCode::NOT_FOUND;
    answer
}
