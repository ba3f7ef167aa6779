//! The inner sessions of sessions, and those that ended ones left behind.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use crate::id::SessionKey;
use crate::session::{Timestamp, millis};
use crate::store::{InnerReplaced, SealedInner};

/// A session's inner session. The number stays when there is none any more: the next one has a higher.
#[derive(Default)]
pub(super) struct Inner {
    incarnation: u64,
    sealed: Option<Bytes>,
}

impl Inner {
    /// What a session is opened with.
    pub(super) fn first(sealed: Option<Bytes>) -> Self {
        Self { incarnation: sealed.is_some().into(), sealed }
    }

    pub(super) fn current(&self) -> Option<SealedInner> {
        let Self { incarnation, sealed } = self;
        sealed.clone().map(|sealed| SealedInner { incarnation: *incarnation, sealed })
    }

    /// Returns the one before.
    pub(super) fn replace(&mut self, sealed: Option<Bytes>) -> Option<SealedInner> {
        let before = self.current();
        self.incarnation += u64::from(sealed.is_some());
        self.sealed = sealed;
        before
    }

    pub(super) fn compare_and_set(&mut self, expected: Option<u64>, sealed: Bytes) -> InnerReplaced {
        let current = self.current();
        if current.as_ref().map(|inner| inner.incarnation) != expected {
            return InnerReplaced::Lost(current);
        }
        self.replace(Some(sealed));
        InnerReplaced::Replaced { incarnation: self.incarnation }
    }
}

/// What sessions that ended lately left behind.
#[derive(Default)]
pub(super) struct Farewells {
    left: HashMap<SessionKey, (Timestamp, Bytes)>,
    /// By when the sessions ended.
    order: VecDeque<(Timestamp, SessionKey)>,
}

impl Farewells {
    pub(super) fn leave(&mut self, key: SessionKey, inner: Inner, at: Timestamp) {
        self.forget_old(at);
        if let Some(sealed) = inner.sealed {
            self.left.insert(key, (at, sealed));
            self.order.push_back((at, key));
        }
    }

    pub(super) fn take(&mut self, key: &SessionKey, now: Timestamp) -> Option<Bytes> {
        self.forget_old(now);
        self.left.remove(key).map(|(_, sealed)| sealed)
    }

    fn forget_old(&mut self, now: Timestamp) {
        while let Some((at, key)) = self.order.front().copied().filter(|(at, _)| is_over(*at, now)) {
            self.order.pop_front();
            // The key may have been opened, and have ended, again.
            if self.left.get(&key).is_some_and(|(left_at, _)| *left_at == at) {
                self.left.remove(&key);
            }
        }
    }
}

fn is_over(at: Timestamp, now: Timestamp) -> bool {
    now.0.saturating_sub(at.0) >= millis(SealedInner::FAREWELL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_ended_session_left_behind_goes_after_a_minute() {
        let mut farewells = Farewells::default();
        let keys = ["AAAAAAAAAAAAAAAA", "BBBBBBBBBBBBBBBB"].map(|key| SessionKey::parse(key).unwrap());
        let left = || Inner::first(Some(Bytes::from_static(b"inner")));
        let minute = millis(SealedInner::FAREWELL);
        farewells.leave(keys[0], left(), Timestamp(0));
        farewells.leave(keys[1], left(), Timestamp(1));
        assert_eq!(farewells.take(&keys[0], Timestamp(minute)), None);
        assert!(farewells.take(&keys[1], Timestamp(minute)).is_some());
        farewells.leave(keys[1], left(), Timestamp(minute));
        let found = farewells.take(&keys[1], Timestamp(minute + 1));
        assert!(found.is_some(), "the time of an earlier end takes nothing of a later one");
        farewells.leave(keys[0], left(), Timestamp(minute));
        farewells.leave(keys[1], Inner::default(), Timestamp(3 * minute));
        assert!(farewells.left.is_empty() && farewells.order.is_empty(), "nothing lies around");
    }
}
