//! *May there be letters that were not read?* A bell rings for each letter; reading answers the bells that rang before it began.
//!
//! Bells are counted, so that one which rings while the inbox is being read is not taken for one that was answered.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bells that rang for one binding, and those that were answered.
#[derive(Default)]
pub(crate) struct Unread {
    rung: AtomicU64,
    answered: AtomicU64,
}

/// The bells that had rung when a reading began.
#[derive(Clone, Copy)]
#[must_use]
pub(crate) struct Bells(u64);

impl Unread {
    /// There may be a letter.
    pub(crate) fn ring(&self) {
        self.rung.fetch_add(1, Ordering::AcqRel);
    }

    /// Taken before the inbox is read.
    pub(crate) fn begin(&self) -> Bells {
        Bells(self.rung.load(Ordering::Acquire))
    }

    /// The inbox was read to its end.
    pub(crate) fn answer(&self, bells: Bells) {
        self.answered.fetch_max(bells.0, Ordering::AcqRel);
    }

    /// Whether a bell rang that no reading has answered.
    pub(crate) fn may_wait(&self) -> bool {
        self.answered.load(Ordering::Acquire) < self.rung.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_is_answered_by_a_whole_reading_that_began_after_it() {
        let unread = Unread::default();
        assert!(!unread.may_wait());
        unread.ring();
        let _ = unread.begin();
        assert!(unread.may_wait(), "a reading that failed answers nothing");
        let first = unread.begin();
        unread.ring();
        unread.answer(first);
        assert!(unread.may_wait(), "it rang while the inbox was being read");
        let (second, third) = (unread.begin(), unread.begin());
        unread.answer(third);
        unread.answer(second);
        assert!(!unread.may_wait());
    }
}
