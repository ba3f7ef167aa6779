//! [`Witness`]: what this process knows of each log of events, to prove that it goes on as it was.
//!
//! A Redis that comes back from an older snapshot has lost events, as has a replica that was promoted too early, and soon has
//! others in their place under the same offsets. So whoever reads a log names the newest entry it knows, by its id, which tells
//! offset and microsecond; if another one stands there, the log begins another epoch.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::{Epoch, StoreError, StoreErrorKind};

/// The newest entry of each log that this process has seen, by part.
pub(super) struct Witness(Mutex<Vec<Option<Known>>>);

/// The end of a log, at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) epoch: Epoch,
    pub(super) id: EntryId,
}

/// `offset-microseconds`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EntryId {
    pub(super) offset: u64,
    text: Box<str>,
}

struct Known {
    mark: Mark,
    /// Some may have been missed since: what is heard from then on proves nothing.
    interrupted: bool,
}

impl EntryId {
    pub(super) fn parse(text: &str) -> Result<Self, StoreError> {
        let offset = text.split_once('-').and_then(|(offset, _)| offset.parse().ok());
        offset.map(|offset| Self { offset, text: text.into() }).ok_or_else(|| StoreErrorKind::Corrupt.into())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

impl Witness {
    pub(super) fn of_nothing(parts: usize) -> Self {
        Self(Mutex::new((0..parts).map(|_| None).collect()))
    }

    /// The newest entry known of a part.
    pub(super) fn mark(&self, part: usize) -> Option<Mark> {
        self.known().get(part)?.as_ref().map(|known| known.mark.clone())
    }

    /// The log ended here when it was read.
    pub(super) fn looked(&self, part: usize, mark: Mark) {
        let mut parts = self.known();
        let Some(known) = parts.get_mut(part) else { return };
        match known {
            Some(known) if !known.interrupted && known.leads(&mark) => {}
            _ => *known = Some(Known { mark, interrupted: false }),
        }
    }

    /// The log was told to go on with this.
    pub(super) fn heard(&self, part: usize, mark: Mark) {
        if let Some(Some(known)) = self.known().get_mut(part)
            && !known.interrupted
            && known.mark.epoch == mark.epoch
            && !known.leads(&mark)
        {
            known.mark = mark;
        }
    }

    /// Some may have been missed.
    pub(super) fn interrupted(&self) {
        self.known().iter_mut().flatten().for_each(|known| known.interrupted = true);
    }

    fn known(&self) -> MutexGuard<'_, Vec<Option<Known>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn leads(&self, mark: &Mark) -> bool {
        self.mark.epoch == mark.epoch && self.mark.id.offset > mark.id.offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(epoch: &str, id: &str) -> Mark {
        Mark { epoch: Epoch::parse(epoch).unwrap(), id: EntryId::parse(id).unwrap() }
    }

    #[test]
    fn the_newest_entry_of_a_part_is_what_it_vouches_for() {
        let witness = Witness::of_nothing(2);
        witness.heard(1, mark("1", "7-700"));
        assert_eq!(witness.mark(1), None, "hearing alone tells nothing of what was before");
        witness.looked(1, mark("1", "7-700"));
        witness.heard(1, mark("1", "8-800"));
        witness.looked(1, mark("1", "7-700"));
        witness.heard(1, mark("2", "9-900"));
        assert_eq!(witness.mark(1), Some(mark("1", "8-800")));
        assert_eq!((witness.mark(0), witness.mark(2)), (None, None));
        witness.looked(1, mark("2", "3-300"));
        assert_eq!(witness.mark(1), Some(mark("2", "3-300")), "another epoch is another log");
    }

    #[test]
    fn what_is_heard_after_an_interruption_proves_nothing_until_the_log_was_read() {
        let witness = Witness::of_nothing(1);
        witness.looked(0, mark("1", "7-700"));
        witness.interrupted();
        witness.heard(0, mark("1", "8-888"));
        assert_eq!(witness.mark(0), Some(mark("1", "7-700")));
        witness.looked(0, mark("1", "6-666"));
        witness.heard(0, mark("1", "7-777"));
        assert_eq!(witness.mark(0), Some(mark("1", "7-777")));
    }
}
