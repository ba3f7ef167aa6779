//! *May this request use this session?* The judgement, of what the store says or said a moment ago (`watch`).

use std::sync::Arc;
use std::time::Duration;

use crate::engine::Engine;
use crate::engine::config::Freshness;
use crate::engine::resident::{Lease, Settled};
use crate::engine::watch::FillGuard;
use crate::id::{SecretDigest, SessionId, SessionKey};
use crate::lifetimes::OnReturn;
use crate::rejection::Rejection;
use crate::session::{Principal, SessionRecord, SessionStatus};
use crate::store::{Revival, Touch, TouchOutcome};
use crate::telemetry::metrics;
use crate::telemetry::text::escaped;

/// What a record means for a request.
#[derive(Debug, PartialEq, Eq)]
enum Judgement {
    Serve,
    ReviveFirst,
    AdoptFirst,
    Unknown,
}

/// The whole decision; an anonymous session may become a principal's if it `adopts`. A wrong secret, a foreign principal and a
/// session that is no more are all the same to the caller.
fn judge(record: &SessionRecord, digest: &SecretDigest, principal: Option<&Principal>, adopts: bool) -> Judgement {
    let owner = record.origin.principal.as_ref();
    let (is_own, may_adopt) = (owner == principal, adopts && owner.is_none());
    if record.digest != *digest || !(is_own || may_adopt) {
        return Judgement::Unknown;
    }
    match (record.status, record.lifetimes.on_return) {
        (SessionStatus::Disconnected, OnReturn::Reject) => Judgement::Unknown,
        (SessionStatus::Active | SessionStatus::Disconnected, _) if !is_own => Judgement::AdoptFirst,
        (SessionStatus::Active, _) => Judgement::Serve,
        (SessionStatus::Disconnected, OnReturn::Revive) => Judgement::ReviveFirst,
    }
}

/// A session that a request may use and does not use yet.
pub(crate) struct Vouched {
    pub(crate) record: Arc<SessionRecord>,
    held: Held,
}

enum Held {
    /// A verdict young enough: the session is in use here already.
    Cached(Lease),
    /// The store was asked.
    Asked(FillGuard),
    /// The same; the session is anonymous, and this principal's from its first use on.
    Anonymous(Box<(FillGuard, Principal)>),
}

impl Vouched {
    /// The session as its holder sees it.
    ///
    /// # Errors
    ///
    /// [`Rejection::SessionNotFound`] for a principal that would have to use an anonymous session first.
    #[cfg(all(feature = "reconnect", feature = "monitor"))]
    pub(crate) fn of_holder(self) -> Result<Arc<SessionRecord>, Rejection> {
        match self.held {
            Held::Cached(_) | Held::Asked(_) => Ok(self.record),
            Held::Anonymous(_) => Err(Rejection::SessionNotFound),
        }
    }
}

/// A request that uses a session.
pub(crate) struct Admission {
    pub(crate) lease: Lease,
    pub(crate) record: Arc<SessionRecord>,
}

impl Admission {
    /// The same session, used once more.
    pub(crate) fn again(&self, engine: &Engine) -> Self {
        Self { lease: engine.residents.lease_again(&self.lease), record: Arc::clone(&self.record) }
    }
}

impl Engine {
    /// Says whether a request may use a session. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`Rejection::SessionNotFound`] if there is no such session of this principal, [`Rejection::StoreUnavailable`] if the
    /// store cannot say.
    pub(crate) async fn vouch(
        &self,
        id: &SessionId,
        principal: Option<&Principal>,
        freshness: Freshness,
    ) -> Result<Vouched, Rejection> {
        let (key, digest) = (id.key(), id.digest());
        if freshness == Freshness::Cached
            && let Some(vouched) = self.vouch_from_cache(&key, &digest, principal)
        {
            return Ok(vouched);
        }
        Box::pin(self.vouch_from_store(key, digest, principal)).await
    }

    async fn vouch_from_store(
        &self,
        key: SessionKey,
        digest: SecretDigest,
        principal: Option<&Principal>,
    ) -> Result<Vouched, Rejection> {
        let guard = self.watch.guard(&key);
        let found = self.store.find(&key).await.map_err(|error| self.store_failed("find", &key, &error))?;
        let Some(record) = found else {
            self.forget(&key);
            return Err(Rejection::SessionNotFound);
        };
        let held = match (judge(&record, &digest, principal, self.config.adopt_anonymous), principal) {
            (Judgement::Serve | Judgement::ReviveFirst, _) => Held::Asked(guard),
            (Judgement::AdoptFirst, Some(principal)) => Held::Anonymous(Box::new((guard, principal.clone()))),
            (Judgement::AdoptFirst, None) | (Judgement::Unknown, _) => return Err(Rejection::SessionNotFound),
        };
        Ok(Vouched { record: Arc::new(record), held })
    }

    fn vouch_from_cache(
        &self,
        key: &SessionKey,
        digest: &SecretDigest,
        principal: Option<&Principal>,
    ) -> Option<Vouched> {
        let resident = self.residents.get(key)?;
        let verdict = resident.verdict()?;
        let serve = judge(&verdict.record, digest, principal, self.config.adopt_anonymous) == Judgement::Serve;
        if !(serve && self.watch.still_holds(&verdict)) {
            return None;
        }
        let lease = self.residents.lease(resident)?;
        Some(Vouched { record: verdict.record, held: Held::Cached(lease) })
    }

    /// Uses a session: it is active from here on.
    ///
    /// # Errors
    ///
    /// As [`vouch`](Self::vouch), if the session's time is over by now.
    pub(crate) async fn enter(&self, vouched: Vouched) -> Result<Admission, Rejection> {
        let Vouched { record, held } = vouched;
        let (guard, record) = match held {
            Held::Cached(lease) => return Ok(Admission { lease, record }),
            Held::Asked(guard) => (guard, record),
            Held::Anonymous(adoption) => {
                let (guard, principal) = *adoption;
                (guard, Box::pin(self.adopt(&record, principal)).await?)
            }
        };
        let record = match record.status {
            SessionStatus::Disconnected => Box::pin(self.revive(&record)).await?,
            SessionStatus::Active if self.residents.get(&record.key).is_none() => {
                Box::pin(self.first_use(record)).await?
            }
            SessionStatus::Active => record,
        };
        self.settle(guard, record)
    }

    /// Makes sure that a session is its caller's, without using it: an anonymous one is adopted.
    ///
    /// # Errors
    ///
    /// As [`enter`](Self::enter).
    pub(crate) async fn own(&self, vouched: Vouched) -> Result<Arc<SessionRecord>, Rejection> {
        match vouched.held {
            Held::Cached(_) | Held::Asked(_) => Ok(vouched.record),
            Held::Anonymous(adoption) => self.adopt(&vouched.record, adoption.1).await,
        }
    }

    /// The first use on this replica asks the store's clock: if no replica ran for a while, the session's time may be over
    /// though nobody has noticed.
    async fn first_use(&self, record: Arc<SessionRecord>) -> Result<Arc<SessionRecord>, Rejection> {
        let touch = [Touch { key: record.key, generation: record.generation, age: Duration::ZERO, confirms: false }];
        let touched = self.clock.timed(self.store.touch(&touch), |touched| touched.now).await;
        match touched.map_err(|error| self.store_failed("touch", &record.key, &error))?.outcomes.as_slice() {
            [TouchOutcome::Active] => Ok(record),
            [TouchOutcome::Disconnected] if record.lifetimes.on_return == OnReturn::Revive => {
                self.revive(&record).await
            }
            _ => Err(Rejection::SessionNotFound),
        }
    }

    /// Takes a session in that the store has vouched for: leased, its verdict cached. What is here of an earlier holder goes.
    ///
    /// # Errors
    ///
    /// [`Rejection::SessionNotFound`] if it has another holder since.
    pub(crate) fn settle(&self, guard: FillGuard, record: Arc<SessionRecord>) -> Result<Admission, Rejection> {
        loop {
            match self.residents.settle(record.key, record.generation) {
                Settled::Used(lease) => {
                    self.residents.note_lifetimes(&lease, &record.lifetimes);
                    lease.set_verdict(guard.fill(&self.watch, &record.key, Arc::clone(&record)));
                    return Ok(Admission { lease, record });
                }
                Settled::After(before) => self.make_way(&before, &record),
                Settled::TooLate => return Err(Rejection::SessionNotFound),
            }
        }
    }

    async fn revive(&self, record: &SessionRecord) -> Result<Arc<SessionRecord>, Rejection> {
        let key = &record.key;
        let revival = self.store.revive(key, record.generation, &self.config.replica).await;
        match revival.map_err(|error| self.store_failed("revive", key, &error))? {
            Revival::Revived { gap } => {
                let (from, to) = (&record.origin.replica, &self.config.replica);
                metrics::session_reconnected("return");
                tracing::info!(session = %key, how = "return", gap_ms = gap.as_millis(), from = &*escaped(from), to = &*escaped(to), "session_reconnected");
            }
            Revival::AlreadyActive => {}
            Revival::Superseded | Revival::Gone => return Err(Rejection::SessionNotFound),
        }
        Ok(Arc::new(SessionRecord { status: SessionStatus::Active, ..record.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifetimes::Lifetimes;
    use crate::protocol::version::ProtocolVersion;
    use crate::session::{ClientInfo, SessionOrigin, Timestamp};

    fn record(id: &SessionId, principal: Option<&str>, status: SessionStatus) -> SessionRecord {
        let origin = SessionOrigin {
            protocol_version: ProtocolVersion::V2025_11_25,
            client: ClientInfo::default(),
            principal: principal.map(Principal::from),
            replica: "a".into(),
            adopted: None,
            inner_has_sessions: false,
        };
        let (key, digest, lifetimes) = (id.key(), id.digest(), Lifetimes::default());
        SessionRecord { key, digest, generation: 0, status, created_at: Timestamp(0), lifetimes, origin }
    }

    #[test]
    fn only_the_right_secret_of_the_right_principal_is_served() {
        let id = SessionId::generate().unwrap();
        let other = SessionId::generate().unwrap();
        let alice = Principal::from("alice");
        let of_alice = record(&id, Some("alice"), SessionStatus::Active);
        let anonymous = record(&id, None, SessionStatus::Active);
        let served = |record: &SessionRecord, id: &SessionId, principal: Option<&Principal>| {
            judge(record, &id.digest(), principal, true) == Judgement::Serve
        };
        assert!(served(&of_alice, &id, Some(&alice)));
        assert!(served(&anonymous, &id, None));
        assert!(!served(&of_alice, &other, Some(&alice)));
        assert!(!served(&of_alice, &id, Some(&Principal::from("mallory"))));
        assert!(!served(&of_alice, &id, None));
        assert!(!served(&anonymous, &id, Some(&alice)));
    }

    #[test]
    fn an_anonymous_session_is_adopted_by_whoever_has_its_id_and_is_somebody() {
        let (id, other) = (SessionId::generate().unwrap(), SessionId::generate().unwrap());
        let alice = Principal::from("alice");
        for (status, on_return, expected) in [
            (SessionStatus::Active, OnReturn::Revive, Judgement::AdoptFirst),
            (SessionStatus::Active, OnReturn::Reject, Judgement::AdoptFirst),
            (SessionStatus::Disconnected, OnReturn::Revive, Judgement::AdoptFirst),
            (SessionStatus::Disconnected, OnReturn::Reject, Judgement::Unknown),
        ] {
            let (mut anonymous, mut of_bob) = (record(&id, None, status), record(&id, Some("bob"), status));
            anonymous.lifetimes.on_return = on_return;
            of_bob.lifetimes.on_return = on_return;
            assert_eq!(judge(&anonymous, &id.digest(), Some(&alice), true), expected);
            assert_eq!(judge(&anonymous, &other.digest(), Some(&alice), true), Judgement::Unknown);
            assert_eq!(judge(&of_bob, &id.digest(), Some(&alice), true), Judgement::Unknown);
            assert_eq!(judge(&anonymous, &id.digest(), Some(&alice), false), Judgement::Unknown);
        }
    }

    #[test]
    fn a_returning_client_is_revived_or_rejected_as_its_session_says() {
        let id = SessionId::generate().unwrap();
        let mut idle = record(&id, None, SessionStatus::Disconnected);
        assert_eq!(judge(&idle, &id.digest(), None, true), Judgement::ReviveFirst);
        idle.lifetimes.on_return = OnReturn::Reject;
        assert_eq!(judge(&idle, &id.digest(), None, true), Judgement::Unknown);
    }
}
