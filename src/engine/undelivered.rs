//! What an inner service refused to take because the head it came with has no authority (any more): an answer, a cancellation,
//! a subscription that another replica's client request brought. It waits for the next head of the session here.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// Messages that wait for one inner service, and their bytes together. The oldest go first.
const MOST: usize = 64;
const BYTES: usize = 8 << 20;

/// A message that waits.
pub(crate) struct Undelivered {
    pub(crate) message: Bytes,
    /// It is marked as something the inner service is told because another replica's was.
    pub(crate) replayed: bool,
    /// How often it was refused.
    pub(crate) refusals: u8,
}

/// The messages that wait for one inner service.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<Vec<Undelivered>>);

impl Waiting {
    pub(crate) fn push(&self, undelivered: Undelivered) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(undelivered);
        let mut bytes: usize = waiting.iter().map(|undelivered| undelivered.message.len()).sum();
        while waiting.len() > MOST || bytes > BYTES {
            bytes -= waiting.remove(0).message.len();
        }
    }

    pub(crate) fn take(&self) -> Vec<Undelivered> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undelivered(message: impl Into<Bytes>) -> Undelivered {
        Undelivered { message: message.into(), replayed: false, refusals: 0 }
    }

    #[test]
    fn what_waits_is_bounded_and_kept_in_order() {
        let waiting = Waiting::default();
        for number in 0..=MOST {
            waiting.push(undelivered(number.to_string()));
        }
        let taken = waiting.take();
        assert_eq!((taken.len(), &taken[0].message[..]), (MOST, &b"1"[..]));
        waiting.push(undelivered(vec![0; BYTES]));
        waiting.push(undelivered(&b"last"[..]));
        let taken = waiting.take();
        assert_eq!((taken.len(), &taken[0].message[..]), (1, &b"last"[..]));
        assert!(waiting.take().is_empty());
    }
}
