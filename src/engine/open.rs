//! How a session begins: the inner service has accepted `initialize`, and the store takes the record.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;

use crate::engine::Engine;
use crate::engine::binding::Binding;
use crate::engine::verdict::Admission;
use crate::id::{SessionId, SessionKey};
use crate::inner::InnerSession;
use crate::rejection::Rejection;
use crate::session::{EndReason, NewSession, SessionOrigin, SessionRecord, SessionStatus};
use crate::store::{Ended, EndedBy, Opening};
use crate::telemetry::metrics;

/// A session just opened: the client's id, and the right to use it.
pub(crate) struct Opened {
    pub(crate) id: SessionId,
    pub(crate) admission: Admission,
}

/// Two random 96-bit keys do not meet; a store that says so this often is broken.
const ATTEMPTS: usize = 3;

/// A new id.
fn new_id() -> Result<SessionId, Rejection> {
    SessionId::generate().map_err(|error| no_randomness(&error))
}

/// A new id for a session that has one.
#[cfg(feature = "reconnect")]
pub(super) fn renewed_id(key: &SessionKey) -> Result<SessionId, Rejection> {
    SessionId::renewed(key).map_err(|error| no_randomness(&error))
}

fn no_randomness(error: &getrandom::Error) -> Rejection {
    tracing::error!(%error, "the operating system has no randomness for a session id");
    Rejection::StoreUnavailable
}

impl Engine {
    /// Opens a session. A client-chosen id never creates anything: the id is minted here.
    ///
    /// # Errors
    ///
    /// [`Rejection::StoreUnavailable`] if the store did not take the record, [`Rejection::TooManySessions`] if as many live as
    /// may; then there is no session.
    pub(crate) async fn open(
        &self,
        origin: SessionOrigin,
        handshake: Bytes,
        inner: &InnerSession,
    ) -> Result<Opened, Rejection> {
        for _ in 0..ATTEMPTS {
            let id = new_id()?;
            let (key, digest) = (id.key(), id.digest());
            let (origin, handshake, inner) = (origin.clone(), handshake.clone(), self.sealed_inner(&key, inner));
            let lifetimes = self.config.lifetimes;
            let session = NewSession { key, digest, lifetimes, origin, handshake, inner };
            let guard = self.watch.guard(&key);
            let opening = self.store.open(&session, self.config.limits.live_sessions).await;
            match opening.map_err(|error| self.store_failed("open", &key, &error))? {
                Opening::KeyTaken => {}
                Opening::Full => return Err(Rejection::TooManySessions),
                Opening::Opened { at } => {
                    metrics::session_opened();
                    let status = SessionStatus::Active;
                    let NewSession { origin, .. } = session;
                    let record =
                        SessionRecord { key, digest, generation: 0, status, created_at: at, lifetimes, origin };
                    return Ok(Opened { id, admission: self.settle(guard, Arc::new(record))? });
                }
            }
        }
        tracing::error!("the session store calls every new key taken");
        Err(Rejection::StoreUnavailable)
    }

    /// Ends a session here and, through the bus, everywhere: for a holder, if it is still theirs. The inner session of a shared
    /// inner service is closed by whoever ended the client's: by the binding here or, where there is none, by the one that
    /// `otherwise` makes.
    ///
    /// # Errors
    ///
    /// [`Rejection::SessionNotFound`] if it had ended already or has another holder, [`Rejection::StoreUnavailable`] if the
    /// store cannot say whether it ended.
    pub(crate) async fn end(
        &self,
        key: &SessionKey,
        by: EndedBy,
        reason: EndReason,
        otherwise: impl FnOnce() -> Option<Binding>,
    ) -> Result<(), Rejection> {
        // The bus may be faster than the answer, and take them away.
        let resident = self.residents.get(key);
        let binding = resident.as_ref().and_then(|resident| resident.binding());
        let ended = self.store.end(key, by, reason).await.map_err(|error| self.store_failed("end", key, &error))?;
        self.watch.changed(key);
        let Ended::Done { inner } = ended else {
            if ended == Ended::Gone {
                self.forget(key);
            }
            return Err(Rejection::SessionNotFound);
        };
        metrics::session_ended(reason);
        tracing::info!(session = %key, %reason, "session_terminated");
        if let Some(resident) = resident {
            let goodbye_after = Some(Duration::ZERO).filter(|_| by == EndedBy::Operator);
            self.forget_resident(&resident, goodbye_after);
        }
        if let Some(left) = inner
            && let Some(binding) = binding.or_else(|| otherwise().map(Arc::new))
        {
            self.say_goodbye_to(key, binding, left);
        }
        Ok(())
    }

    /// An admitted request came with this head: what the layer says by itself to the inner service here goes with it.
    pub(crate) fn note_head(&self, key: &SessionKey, parts: &Parts) {
        if let Some(binding) = self.residents.get(key).and_then(|resident| resident.binding()) {
            binding.note_head(parts);
        }
    }

    /// Ties a session that was just opened to the inner service that answered its handshake.
    pub(crate) fn bind_first(&self, admission: &Admission, binding: Binding) {
        let is_shared = self.shares_inner() && binding.inner_id().is_some();
        self.bind(admission, if is_shared { binding.shared(1) } else { binding }, 0);
    }

    /// Ties an admitted session to the inner service on this replica, closing what it was tied to before.
    /// Letters up to `read` are known to it already.
    pub(crate) fn bind(&self, admission: &Admission, binding: Binding, read: u64) -> Arc<Binding> {
        let binding = binding.of_session(self.session_handle(admission)).made_for(admission.record.generation, read);
        if binding.incarnation().is_some() {
            self.way.get_or_init(|| binding.way());
        }
        let binding = Arc::new(binding);
        if let Some(before) = admission.lease.set_binding(Some(binding.clone())) {
            before.close();
        }
        if admission.lease.ended.is_cancelled() {
            binding.close();
        }
        binding
    }
}
