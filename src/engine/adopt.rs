//! *Whose is an anonymous session?* The first principal's that uses it, and from then on nobody else's. Servers that answer
//! `initialize` openly and challenge a call later make their clients log in and repeat the call with the same id.
//!
//! An adoption begins another generation, as a reconnect does: that is what ends the anonymous holder's streams on every replica,
//! heard of or not. Unlike a reconnect it keeps the secret, and what the inner services know of the session: each replica gives its
//! binding to the session's next resident.

use std::sync::Arc;

use crate::engine::Engine;
use crate::engine::outgoing::Speaker;
use crate::engine::resident::Resident;
use crate::engine::shared_inner::AFTER_WHO_ENDED;
use crate::id::SessionKey;
use crate::rejection::Rejection;
use crate::session::{Principal, SessionOrigin, SessionRecord};
use crate::store::{Adoption, StoreError};
use crate::telemetry::metrics;
use crate::telemetry::text::escaped;

impl Engine {
    /// Makes an anonymous session a principal's. Returns its record from now on.
    ///
    /// # Errors
    ///
    /// [`Rejection::SessionNotFound`] if somebody was first, or it is no more; [`Rejection::StoreUnavailable`] if the store cannot
    /// say.
    pub(super) async fn adopt(
        &self,
        record: &SessionRecord,
        principal: Principal,
    ) -> Result<Arc<SessionRecord>, Rejection> {
        let key = &record.key;
        let adoption = self.store.adopt(key, record.generation, &principal).await;
        match adoption.map_err(|error| self.store_failed("adopt", key, &error))? {
            Adoption::Adopted { generation, again } => {
                self.drop_verdict(key);
                if !again {
                    metrics::session_adopted();
                    let label = self.config.label_of(&principal);
                    tracing::info!(session = %key, principal = label.as_deref().map(escaped).as_deref(), "session_adopted");
                }
                let origin =
                    SessionOrigin { principal: Some(principal), adopted: Some(generation), ..record.origin.clone() };
                Ok(Arc::new(SessionRecord { generation, origin, ..record.clone() }))
            }
            Adoption::Taken | Adoption::Superseded | Adoption::Gone => Err(Rejection::SessionNotFound),
        }
    }

    /// A session was adopted, here or elsewhere: what its anonymous holder has open here ends now. The rest follows.
    pub(super) fn hear_of_adoption(self: &Arc<Self>, key: &SessionKey, generation: u32) {
        self.drop_verdict(key);
        if let Some(before) = self.residents.get(key).filter(|resident| resident.generation < generation) {
            before.ended.cancel();
            let engine = Arc::clone(self);
            tokio::spawn(async move {
                if let Err(error) = engine.superseded(&before).await {
                    tracing::debug!(session = %before.key, %error, "an adoption is followed when the store is back");
                    if before.tell_again() {
                        engine.residents.untold.push(before);
                    }
                }
            });
        }
    }

    /// The generation in which the store takes what a binding has to say, if that is refused in the one before: the session was
    /// adopted, and word of that may not have come yet. `None` if it has another client.
    pub(super) async fn generation_after(&self, speaker: &Speaker) -> Result<Option<u32>, StoreError> {
        let Speaker { key, generation, binding, .. } = speaker;
        if let Some(before) = self.residents.get(key).filter(|resident| resident.generation == *generation) {
            self.superseded(&before).await?;
        }
        Ok(Some(binding.generation()).filter(|adopted| adopted > generation && binding.is_open()))
    }

    /// The session is of another generation than what is here of it.
    pub(super) async fn superseded(&self, before: &Arc<Resident>) -> Result<(), StoreError> {
        if self.residents.is_current(before) {
            before.set_verdict(None);
            match self.store.find(&before.key).await? {
                Some(record) => self.make_way(before, &Arc::new(record)),
                None => self.forget_resident(before, Some(AFTER_WHO_ENDED)),
            }
        }
        Ok(())
    }

    /// What is here of a generation before is over. If an adoption began the session's own, the inner service's session goes on.
    pub(super) fn make_way(&self, before: &Arc<Resident>, record: &Arc<SessionRecord>) {
        let generation = record.generation;
        let is_adopted =
            record.origin.adopted == Some(generation) && before.generation.checked_add(1) == Some(generation);
        let binding = before.binding().filter(|binding| is_adopted && binding.is_open());
        let Some(binding) = binding else { return self.forget_resident(before, Some(AFTER_WHO_ENDED)) };
        binding.pass_on(generation, self.session_handle_of(record));
        let next = Arc::new(Resident::after(before, generation));
        next.set_binding(Some(Arc::clone(&binding)));
        if !self.residents.replace(before, &next) {
            return;
        }
        before.set_verdict(None);
        before.set_binding(None);
        before.ended.cancel();
        // An ear that could not follow has stopped.
        if let Some(engine) = self.itself.upgrade().filter(|_| binding.was_heard()) {
            engine.hear_binding(&record.key, &binding);
        }
    }
}
