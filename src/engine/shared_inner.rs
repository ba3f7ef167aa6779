//! *Whose session is the inner session?* Where all replicas reach the same inner service, it is the client's: one for all of
//! them, kept with the session in the store. Every replica uses it, one listens, one replays the handshake when it is lost,
//! and one says goodbye when the session ends.
//!
//! Each inner session that a client's session has had is an *incarnation*. A replica whose binding is of an earlier one takes
//! up the one in the store before it replays anything.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;

use crate::engine::Engine;
use crate::engine::binding::Binding;
use crate::engine::config::InnerSessions;
use crate::engine::verdict::Admission;
use crate::id::SessionKey;
use crate::inner::{Failure, Inner, InnerHead, InnerService, InnerSession};
use crate::rejection::Rejection;
use crate::seal;
use crate::store::{Blueprint, InnerReplaced, SealedInner};

/// Where an operator ends a session, whoever did so says goodbye to the inner one if it can; the others leave it the time.
pub(super) const AFTER_WHO_ENDED: Duration = Duration::from_secs(1);

impl Engine {
    /// Whether all replicas reach the same inner service.
    pub(crate) fn shares_inner(&self) -> bool {
        self.config.inner_sessions == InnerSessions::Shared
    }

    /// An inner session as the store keeps it; `None` where there is none, or every replica has its own.
    pub(crate) fn sealed_inner(&self, key: &SessionKey, inner: &InnerSession) -> Option<Bytes> {
        inner.id().filter(|_| self.shares_inner())?;
        let sealed = self.config.seal(key, &inner.to_bytes())?;
        if seal::is_readable(&sealed) {
            self.unsealed.call_once(|| {
                let advice = match cfg!(feature = "seal") {
                    true => "give all replicas the same reconnect keys (SessionLayer::builder(…).reconnect(…), --secret-file)",
                    false => "build with the feature `seal`",
                };
                tracing::warn!("the ids of inner sessions lie readable in the session store; to have them sealed, {advice}");
            });
        }
        Some(sealed)
    }

    fn opened_inner(&self, key: &SessionKey, sealed: &[u8]) -> Option<InnerSession> {
        let opened = self.config.unseal(key, sealed).and_then(|plain| InnerSession::from_bytes(&plain));
        if opened.is_none() {
            tracing::warn!(session = %key, "the inner session in the store cannot be opened with the keys here; it counts as lost");
        }
        opened
    }

    /// The inner session that all replicas use, if it is another one than a binding's own.
    fn other_incarnation(
        &self,
        key: &SessionKey,
        kept: Option<&SealedInner>,
        stale: Option<&Arc<Binding>>,
    ) -> Option<(u64, InnerSession)> {
        let kept = kept.filter(|kept| stale.and_then(|stale| stale.incarnation()) != Some(kept.incarnation))?;
        Some((kept.incarnation, self.opened_inner(key, &kept.sealed)?))
    }

    /// A binding to the inner session in the store; if that is lost, or none is there, to one that takes its place.
    pub(super) async fn share<S: InnerService>(
        &self,
        inner: &mut Inner<S>,
        admission: &Admission,
        parts: &Parts,
        stale: Option<&Arc<Binding>>,
        blueprint: &Blueprint,
    ) -> Result<Binding, Failure<S::Failure>> {
        let (key, generation) = (&admission.record.key, admission.record.generation);
        if let Some((incarnation, other)) = self.other_incarnation(key, blueprint.inner.as_ref(), stale) {
            return Ok(self.shared(inner, admission, parts, other, incarnation));
        }
        let expected = blueprint.inner.as_ref().map(|kept| kept.incarnation);
        let binding = self.replay(inner, admission, parts, blueprint).await?;
        // An inner service that has no sessions any more is nobody's to share.
        let Some(sealed) = self.sealed_inner(key, binding.inner()) else { return Ok(binding) };
        let replaced = self.store.replace_inner(key, generation, expected, sealed).await;
        match replaced.map_err(|error| self.store_failed("replace_inner", key, &error))? {
            InnerReplaced::Replaced { incarnation } => {
                if let Some(stale) = stale {
                    // It may have been lost on one node only.
                    binding.farewell(stale.inner());
                }
                Ok(binding.shared(incarnation))
            }
            // Another replica was first: what was opened here is closed again.
            InnerReplaced::Lost(kept) => {
                drop(binding);
                let kept = kept.ok_or(Rejection::InnerLostSession)?;
                let other = self.opened_inner(key, &kept.sealed).ok_or(Rejection::InnerLostSession)?;
                Ok(self.shared(inner, admission, parts, other, kept.incarnation))
            }
            InnerReplaced::Superseded | InnerReplaced::Gone => Err(Rejection::SessionNotFound.into()),
        }
    }

    /// The binding of a session that was handed over with a new handshake. The store tells which inner session is the session's
    /// now, and which one that took the place of: it is over.
    pub(crate) fn share_handed_over(
        &self,
        key: &SessionKey,
        binding: Binding,
        kept: Option<&SealedInner>,
        replaced: Option<&SealedInner>,
    ) -> Binding {
        let before = replaced.and_then(|replaced| self.opened_inner(key, &replaced.sealed));
        if let Some(before) = before {
            binding.farewell(&before);
        }
        let Some(kept) = kept else { return binding };
        match self.opened_inner(key, &kept.sealed) {
            Some(inner) if inner == *binding.inner() => binding.shared(kept.incarnation),
            // An earlier try of the same client's brought another one; this one is closed with its binding.
            Some(inner) => binding.renewed(inner, kept.incarnation),
            None => binding,
        }
    }

    fn shared<S: InnerService>(
        &self,
        inner: &Inner<S>,
        admission: &Admission,
        parts: &Parts,
        session: InnerSession,
        incarnation: u64,
    ) -> Binding {
        tracing::debug!(session = %admission.record.key, incarnation, "the inner session that all replicas use is used here");
        let binding = Binding::new(session, inner.later(), InnerHead::of(parts)).shared(incarnation).taken_up();
        binding.speaking(admission.record.origin.protocol_version).of_session(self.session_handle(admission))
    }

    /// Takes up, in place of a binding, the inner session that another replica has replaced its own with; `None` if that is
    /// still the one in the store, or the store cannot say.
    pub(super) async fn renew_shared(&self, key: &SessionKey, stale: &Arc<Binding>) -> Option<Arc<Binding>> {
        let resident = self.residents.get(key).filter(|resident| resident.generation == stale.generation())?;
        let _alone = resident.rebinding.lock().await;
        let blueprint = self.store.blueprint(key).await.ok().flatten()?;
        if blueprint.generation != stale.generation() {
            return None;
        }
        let (incarnation, other) = self.other_incarnation(key, blueprint.inner.as_ref(), Some(stale))?;
        resident.binding().filter(|current| Arc::ptr_eq(current, stale))?;
        let renewed = Arc::new(stale.renewed(other, incarnation));
        resident.set_binding(Some(Arc::clone(&renewed)));
        stale.close();
        Some(renewed)
    }

    /// The session has ended: the inner one is closed by exactly one replica, in the background.
    pub(super) fn say_goodbye(&self, key: &SessionKey, binding: Arc<Binding>, after: Duration) {
        let Some(engine) = self.itself.upgrade().filter(|_| binding.incarnation().is_some()) else { return };
        let key = *key;
        self.drain.calls.spawn(async move {
            tokio::time::sleep(after).await;
            let Ok(Some(left)) = engine.store.take_inner(&key).await else { return };
            engine.close_left(&key, &binding, &left).await;
        });
    }

    /// The session's holder has ended it here and taken the inner one, which is closed in the background.
    pub(super) fn say_goodbye_to(&self, key: &SessionKey, binding: Arc<Binding>, left: Bytes) {
        let Some(engine) = self.itself.upgrade() else { return };
        let key = *key;
        self.drain.calls.spawn(async move { engine.close_left(&key, &binding, &left).await });
    }

    async fn close_left(&self, key: &SessionKey, binding: &Binding, left: &[u8]) {
        if let Some(inner) = self.opened_inner(key, left) {
            binding.say_goodbye(&inner).await;
        }
    }

    /// Sessions have ended here of themselves. If no replica has a binding any more, with a head to close the inner one by, that is
    /// tried without authority.
    pub(super) fn say_goodbye_without_head(&self, key: &SessionKey) {
        if let Some((ask, head)) = self.way.get() {
            let binding = Binding::new(InnerSession::default(), Arc::clone(ask), head.clone()).shared(0);
            self.say_goodbye(key, Arc::new(binding), AFTER_WHO_ENDED * 2);
        }
    }

    /// What a client that ends its session at a replica without a binding to the inner one closes that with: its own head.
    pub(crate) fn binding_to_close<S: InnerService>(inner: &Inner<S>, parts: &Parts) -> Binding {
        Binding::new(InnerSession::default(), inner.later(), InnerHead::of(parts)).shared(0)
    }
}
