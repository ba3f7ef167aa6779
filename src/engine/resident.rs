//! What one replica knows of one session: the cached verdict, the binding to the inner service, and its use right now.
//!
//! A [`Resident`] exists only for sessions the store has vouched for, so unknown ids never take memory. A [`Lease`] is a
//! request or an open stream using the session; while one is held the resident stays.

use std::cmp;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use papaya::{Compute, Operation};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::engine::binding::Binding;
use crate::engine::recovery::Recovery;
use crate::id::SessionKey;
use crate::lifetimes::{Lifetimes, OnReturn};
use crate::session::{SessionRecord, millis};
use crate::store::Touch;

/// The store's word on a session, and when it was asked for.
#[derive(Clone)]
pub(crate) struct Verdict {
    pub(crate) record: Arc<SessionRecord>,
    pub(crate) asked_at: Instant,
    /// The bus epoch it was read in.
    pub(crate) epoch: u64,
}

pub(crate) struct Resident {
    pub(crate) key: SessionKey,
    /// The generation of the session it is for: a reconnect makes another one.
    pub(crate) generation: u32,
    /// After how long without activity the session is idle, in ms, as far as this replica was told.
    idle_timeout: AtomicU64,
    /// Whether a client that comes back to the session finds it.
    revives: AtomicBool,
    /// Cancelled when the session has ended, or has another holder: its streams close.
    pub(crate) ended: CancellationToken,
    /// Rung when something was appended to a stream of the session.
    pub(crate) bell: Notify,
    /// Calls whose streams are being recorded here: they may be cancelled through the inbox.
    pub(crate) recording: AtomicUsize,
    /// Held while a binding is being made, so that it is made once.
    pub(crate) rebinding: tokio::sync::Mutex<()>,
    /// Held while the inner service is asked whether it has lost the session.
    pub(crate) recovery: tokio::sync::Mutex<Recovery>,
    verdict: Mutex<Option<Verdict>>,
    binding: RwLock<Option<Arc<Binding>>>,
    /// Leases held, or `RETIRED`.
    held: AtomicUsize,
    since: Instant,
    /// Milliseconds from `since` to the last activity.
    last_active: AtomicU64,
    /// The store has not been told of the last activity yet.
    untold: AtomicBool,
    /// The client has confirmed its handshake, as far as this replica saw.
    confirmed: AtomicBool,
    /// The store has not been told of that yet.
    unconfirmed: AtomicBool,
    /// Milliseconds from `since` to when the client last got a reconnect token here, plus one; 0: never.
    #[cfg(feature = "reconnect")]
    token_given: AtomicU64,
}

const RETIRED: usize = usize::MAX;

/// How often the store hears of a session in use, with this idle timeout, while nothing else happens.
fn retouch_interval(idle_timeout: Duration) -> Duration {
    (idle_timeout / 4).min(Duration::from_secs(15))
}

impl Resident {
    pub(crate) fn new(key: SessionKey, generation: u32) -> Self {
        Self {
            key,
            generation,
            idle_timeout: AtomicU64::new(u64::MAX),
            revives: AtomicBool::new(false),
            ended: CancellationToken::new(),
            bell: Notify::new(),
            recording: AtomicUsize::new(0),
            rebinding: tokio::sync::Mutex::new(()),
            recovery: tokio::sync::Mutex::default(),
            verdict: Mutex::new(None),
            binding: RwLock::new(None),
            held: AtomicUsize::new(0),
            since: Instant::now(),
            last_active: AtomicU64::new(0),
            untold: AtomicBool::new(false),
            confirmed: AtomicBool::new(false),
            unconfirmed: AtomicBool::new(false),
            #[cfg(feature = "reconnect")]
            token_given: AtomicU64::new(0),
        }
    }

    /// For the generation after this one's, of the same client.
    pub(crate) fn after(before: &Self, generation: u32) -> Self {
        let next = Self::new(before.key, generation);
        if before.confirmed.load(Ordering::Relaxed) {
            next.confirm();
        }
        next
    }

    pub(crate) fn verdict(&self) -> Option<Verdict> {
        self.verdict.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_verdict(&self, verdict: Option<Verdict>) {
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = verdict;
    }

    pub(crate) fn binding(&self) -> Option<Arc<Binding>> {
        self.binding.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a binding in place and hands back the one before.
    pub(crate) fn set_binding(&self, binding: Option<Arc<Binding>>) -> Option<Arc<Binding>> {
        std::mem::replace(&mut self.binding.write().unwrap_or_else(PoisonError::into_inner), binding)
    }

    /// Notes activity now; `true` if the store has to be told, and nobody has promised to yet.
    fn note_activity(&self) -> bool {
        self.last_active.fetch_max(self.age(), Ordering::Relaxed);
        !self.untold.swap(true, Ordering::AcqRel)
    }

    fn age(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether the client got no reconnect token from this replica within a span.
    #[cfg(feature = "reconnect")]
    pub(crate) fn token_is_due(&self, after: Duration) -> bool {
        match self.token_given.load(Ordering::Relaxed) {
            0 => true,
            given => Duration::from_millis(self.age().saturating_sub(given - 1)) >= after,
        }
    }

    #[cfg(feature = "reconnect")]
    pub(crate) fn note_token(&self) {
        self.token_given.store(self.age().saturating_add(1), Ordering::Relaxed);
    }

    /// The client has confirmed its handshake: it sent something that only a client does which got the answer. Told to the
    /// store with the activity that this is.
    pub(crate) fn confirm(&self) {
        if !self.confirmed.load(Ordering::Relaxed) {
            self.unconfirmed.store(true, Ordering::Release);
            self.confirmed.store(true, Ordering::Relaxed);
        }
    }

    /// Marks the activity so far as about to be told.
    pub(crate) fn take_untold(&self) -> Touch {
        self.untold.store(false, Ordering::Release);
        let confirms = self.unconfirmed.swap(false, Ordering::AcqRel);
        Touch { key: self.key, generation: self.generation, age: self.idle_for(), confirms }
    }

    /// Marks activity that could not be told as still to be told; `true` if nobody else has.
    pub(crate) fn put_back(&self, touch: &Touch) -> bool {
        self.unconfirmed.fetch_or(touch.confirms, Ordering::AcqRel);
        self.tell_again()
    }

    /// The store is to be told even without activity; `true` if nobody has promised to yet.
    pub(crate) fn tell_again(&self) -> bool {
        !self.untold.swap(true, Ordering::AcqRel)
    }

    /// How long ago this replica last saw activity.
    pub(crate) fn idle_for(&self) -> Duration {
        let last_active = Duration::from_millis(self.last_active.load(Ordering::Relaxed));
        self.since.elapsed().saturating_sub(last_active)
    }

    /// The session's idle timeout.
    pub(crate) fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout.load(Ordering::Relaxed))
    }

    /// Whether a client that comes back to the session finds it.
    pub(crate) fn revives(&self) -> bool {
        self.revives.load(Ordering::Relaxed)
    }

    fn note_lifetimes(&self, lifetimes: &Lifetimes) {
        self.idle_timeout.store(millis(lifetimes.idle_timeout), Ordering::Relaxed);
        self.revives.store(lifetimes.on_return == OnReturn::Revive, Ordering::Relaxed);
    }

    /// Whether the session is in use, and its last activity so long ago that the store has to hear of it again.
    pub(crate) fn is_to_be_retouched(&self) -> bool {
        self.in_use() && self.idle_for() >= retouch_interval(self.idle_timeout()) / 2
    }

    /// Whether a request or an open stream uses the session right now.
    pub(crate) fn in_use(&self) -> bool {
        !matches!(self.held.load(Ordering::Acquire), 0 | RETIRED)
    }

    /// Takes the resident out of use for good; `false` while a lease is held.
    pub(crate) fn retire(&self) -> bool {
        self.held.compare_exchange(0, RETIRED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Fails only on a retired resident.
    fn hold(&self) -> bool {
        let one_more = |held| (held != RETIRED).then(|| held + 1);
        self.held.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).is_ok()
    }
}

/// Sessions whose activity the store has not been told of.
#[derive(Default)]
pub(crate) struct Untold(Mutex<Vec<Arc<Resident>>>);

impl Untold {
    pub(crate) fn push(&self, resident: Arc<Resident>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(resident);
    }

    pub(crate) fn take(&self) -> Vec<Arc<Resident>> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What comes of taking a session in.
pub(crate) enum Settled {
    /// It is used from here on.
    Used(Lease),
    /// This is still here of its holder before: it has to go first.
    After(Arc<Resident>),
    /// It has another holder since.
    TooLate,
}

/// All residents of this replica.
#[derive(Default)]
pub(crate) struct Residents {
    map: papaya::HashMap<SessionKey, Arc<Resident>>,
    /// The shortest idle timeout of any session there has been here, in ms; 0 before the first.
    shortest_idle_timeout: AtomicU64,
    pub(crate) untold: Arc<Untold>,
}

impl Residents {
    pub(crate) fn get(&self, key: &SessionKey) -> Option<Arc<Resident>> {
        self.map.pin().get(key).cloned()
    }

    /// A session's lifetimes, as the store told them.
    pub(crate) fn note_lifetimes(&self, resident: &Resident, lifetimes: &Lifetimes) {
        resident.note_lifetimes(lifetimes);
        let own = millis(lifetimes.idle_timeout);
        let shorter = |shortest| (shortest == 0 || own < shortest).then_some(own);
        let _ = self.shortest_idle_timeout.fetch_update(Ordering::Relaxed, Ordering::Relaxed, shorter);
    }

    /// How often to look for sessions in use that the store has to hear of.
    pub(crate) fn retouch_interval(&self) -> Duration {
        match self.shortest_idle_timeout.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            shortest => retouch_interval(Duration::from_millis(shortest)),
        }
    }

    pub(crate) fn all(&self) -> Vec<Arc<Resident>> {
        self.map.pin().values().cloned().collect()
    }

    /// Starts using a session that has a resident.
    pub(crate) fn lease(&self, resident: Arc<Resident>) -> Option<Lease> {
        resident.hold().then(|| Lease::new(resident, Arc::clone(&self.untold)))
    }

    /// Uses a session that is in use once more.
    pub(crate) fn lease_again(&self, lease: &Lease) -> Lease {
        lease.resident.held.fetch_add(1, Ordering::AcqRel);
        Lease::new(Arc::clone(&lease.resident), Arc::clone(&self.untold))
    }

    /// Starts using a session the store has vouched for, in this generation.
    pub(crate) fn settle(&self, key: SessionKey, generation: u32) -> Settled {
        loop {
            let new = || Arc::new(Resident::new(key, generation));
            let resident = self.map.pin().get_or_insert_with(key, new).clone();
            match resident.generation.cmp(&generation) {
                cmp::Ordering::Less => return Settled::After(resident),
                cmp::Ordering::Greater => return Settled::TooLate,
                cmp::Ordering::Equal => match self.lease(Arc::clone(&resident)) {
                    Some(lease) => return Settled::Used(lease),
                    None => self.remove(&resident),
                },
            }
        }
    }

    /// Whether this very resident is in the map.
    pub(crate) fn is_current(&self, resident: &Arc<Resident>) -> bool {
        self.map.pin().get(&resident.key).is_some_and(|current| Arc::ptr_eq(current, resident))
    }

    /// Puts another resident in the place of this very one; `false` if that is there no more.
    pub(crate) fn replace(&self, before: &Arc<Resident>, next: &Arc<Resident>) -> bool {
        let map = self.map.pin();
        let replaced = map.compute(before.key, |current| match current {
            Some((_, current)) if Arc::ptr_eq(current, before) => Operation::Insert(Arc::clone(next)),
            Some(_) | None => Operation::Abort(()),
        });
        matches!(replaced, Compute::Updated { .. })
    }

    /// Takes this very resident out of the map.
    pub(crate) fn remove(&self, resident: &Arc<Resident>) {
        let _ = self.map.pin().remove_if(&resident.key, |_, current| Arc::ptr_eq(current, resident));
    }
}

/// A request or an open stream using a session. Its beginning and its end are activity.
pub(crate) struct Lease {
    resident: Arc<Resident>,
    untold: Arc<Untold>,
}

impl Lease {
    fn new(resident: Arc<Resident>, untold: Arc<Untold>) -> Self {
        let lease = Self { resident, untold };
        lease.note_activity();
        lease
    }

    /// Notes activity now, to be told to the store with the next flush.
    pub(crate) fn note_activity(&self) {
        if self.resident.note_activity() {
            self.untold.push(Arc::clone(&self.resident));
        }
    }
}

impl Deref for Lease {
    type Target = Arc<Resident>;

    fn deref(&self) -> &Self::Target {
        &self.resident
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.note_activity();
        self.resident.held.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SessionId;

    fn used(settled: Settled) -> Lease {
        match settled {
            Settled::Used(lease) => lease,
            Settled::After(_) | Settled::TooLate => panic!("the session is of another generation"),
        }
    }

    #[test]
    fn a_leased_resident_cannot_retire_and_a_retired_one_cannot_be_leased() {
        let residents = Residents::default();
        let key = SessionId::generate().unwrap().key();
        let lease = used(residents.settle(key, 0));
        let resident = Arc::clone(&lease);
        assert!(!resident.retire());
        drop(lease);
        assert!(resident.retire());
        assert!(residents.lease(Arc::clone(&resident)).is_none());
        let fresh = used(residents.settle(key, 0));
        assert!(!Arc::ptr_eq(&fresh, &resident));
    }

    #[test]
    fn activity_is_queued_once_until_it_is_told() {
        let residents = Residents::default();
        let lease = used(residents.settle(SessionId::generate().unwrap().key(), 0));
        lease.note_activity();
        assert_eq!(residents.untold.take().len(), 1);
        lease.note_activity();
        assert_eq!(residents.untold.take().len(), 0);
        lease.take_untold();
        lease.note_activity();
        assert_eq!(residents.untold.take().len(), 1);
    }

    #[test]
    fn a_confirmation_is_told_once_and_again_if_that_failed() {
        let resident = Resident::new(SessionId::generate().unwrap().key(), 0);
        assert!(!resident.take_untold().confirms);
        resident.confirm();
        let touch = resident.take_untold();
        assert!(touch.confirms && !resident.take_untold().confirms);
        assert!(resident.put_back(&touch) && resident.take_untold().confirms);
        resident.confirm();
        assert!(!resident.take_untold().confirms);
    }

    #[test]
    fn generations_do_not_share_a_resident() {
        let residents = Residents::default();
        let key = SessionId::generate().unwrap().key();
        let old = used(residents.settle(key, 0));
        assert!(matches!(residents.settle(key, 1), Settled::After(resident) if Arc::ptr_eq(&resident, &old)));
        residents.remove(&old);
        let _new = used(residents.settle(key, 1));
        assert!(matches!(residents.settle(key, 0), Settled::TooLate));
    }
}
