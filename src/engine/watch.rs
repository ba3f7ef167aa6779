//! *Is what this replica was told still true?* A verdict from the cache is at most [`MAX_AGE`] old, counted from the moment the
//! store was asked. A change made anywhere drops it through the bus; a fill that raced such a change is not kept (the fill
//! guard); while the bus is down nothing is cached at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::resident::Verdict;
use crate::id::SessionKey;
use crate::session::SessionRecord;

/// How old a cached verdict may be: the time after which an end made elsewhere holds here, at the latest.
pub(crate) const MAX_AGE: Duration = Duration::from_secs(1);

/// Counts what the bus tells, so that a verdict read before a change is not kept after it.
pub(crate) struct BusWatch {
    listening: AtomicBool,
    /// Rises whenever news may have been missed: verdicts of earlier epochs are void.
    epoch: AtomicU64,
    /// Rises with every change of a session of this slot.
    changes: [AtomicU64; Self::SLOTS],
}

impl BusWatch {
    const SLOTS: usize = 64;

    pub(crate) fn new() -> Self {
        Self {
            listening: AtomicBool::new(false),
            epoch: AtomicU64::new(0),
            changes: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    fn slot(&self, key: &SessionKey) -> &AtomicU64 {
        // Keys are random; any byte of one spreads evenly over its 64 letters.
        &self.changes[usize::from(key.as_str().as_bytes()[0]) % Self::SLOTS]
    }

    pub(crate) fn changed(&self, key: &SessionKey) {
        self.slot(key).fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn lost(&self) {
        self.listening.store(false, Ordering::Release);
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn restored(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.listening.store(true, Ordering::Release);
    }

    /// Whether the bus tells what changes.
    pub(crate) fn is_listening(&self) -> bool {
        self.listening.load(Ordering::Acquire)
    }

    /// Whether nothing can have changed unheard since this verdict was read.
    pub(super) fn still_holds(&self, verdict: &Verdict) -> bool {
        self.is_listening()
            && verdict.epoch == self.epoch.load(Ordering::Acquire)
            && verdict.asked_at.elapsed() < MAX_AGE
    }

    /// Taken before the store is asked.
    pub(crate) fn guard(&self, key: &SessionKey) -> FillGuard {
        FillGuard {
            listening: self.listening.load(Ordering::Acquire),
            epoch: self.epoch.load(Ordering::Acquire),
            changes: self.slot(key).load(Ordering::Acquire),
            asked_at: Instant::now(),
        }
    }
}

/// What had been heard when the store was asked.
#[derive(Clone, Copy)]
pub(crate) struct FillGuard {
    listening: bool,
    epoch: u64,
    changes: u64,
    asked_at: Instant,
}

impl FillGuard {
    /// The verdict to cache, unless news came in while the store was answering.
    pub(crate) fn fill(self, watch: &BusWatch, key: &SessionKey, record: Arc<SessionRecord>) -> Option<Verdict> {
        let now = watch.guard(key);
        let undisturbed = now.listening && self.listening && (now.epoch, now.changes) == (self.epoch, self.changes);
        undisturbed.then_some(Verdict { record, asked_at: self.asked_at, epoch: self.epoch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SessionId;
    use crate::lifetimes::Lifetimes;
    use crate::protocol::version::ProtocolVersion;
    use crate::session::{ClientInfo, SessionOrigin, SessionStatus, Timestamp};

    fn record(id: &SessionId) -> SessionRecord {
        let origin = SessionOrigin {
            protocol_version: ProtocolVersion::V2025_11_25,
            client: ClientInfo::default(),
            principal: None,
            replica: "a".into(),
            adopted: None,
            inner_has_sessions: false,
        };
        let (key, digest, status) = (id.key(), id.digest(), SessionStatus::Active);
        let lifetimes = Lifetimes::default();
        SessionRecord { key, digest, generation: 0, status, created_at: Timestamp(0), lifetimes, origin }
    }

    #[test]
    fn a_fill_that_raced_a_change_is_dropped() {
        let id = SessionId::generate().unwrap();
        let (key, watch) = (id.key(), BusWatch::new());
        let record = Arc::new(record(&id));
        let filled = |guard: FillGuard| guard.fill(&watch, &key, Arc::clone(&record)).is_some();
        assert!(!filled(watch.guard(&key)), "nothing is cached before the bus is heard");
        watch.restored();
        assert!(filled(watch.guard(&key)));
        let before_change = watch.guard(&key);
        watch.changed(&key);
        assert!(!filled(before_change));
        let before_loss = watch.guard(&key);
        watch.lost();
        watch.restored();
        assert!(!filled(before_loss));
    }
}
