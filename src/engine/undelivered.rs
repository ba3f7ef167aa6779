//! What an inner service refused to take because the head it came with has no authority (any more): an answer, a cancellation,
//! a subscription that another replica's client request brought. It waits for the next head of the session here.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// Messages that wait for one inner service, and their bytes together. The oldest go first.
const MOST: usize = 64;
const BYTES: usize = 8 << 20;

#[derive(Default)]
pub(crate) struct Undelivered(Mutex<Vec<Bytes>>);

impl Undelivered {
    pub(crate) fn push(&self, message: Bytes) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(message);
        let mut bytes: usize = waiting.iter().map(Bytes::len).sum();
        while waiting.len() > MOST || bytes > BYTES {
            bytes -= waiting.remove(0).len();
        }
    }

    pub(crate) fn take(&self) -> Vec<Bytes> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_and_kept_in_order() {
        let waiting = Undelivered::default();
        for number in 0..=MOST {
            waiting.push(Bytes::from(number.to_string()));
        }
        let taken = waiting.take();
        assert_eq!((taken.len(), &taken[0][..]), (MOST, &b"1"[..]));
        waiting.push(vec![0; BYTES].into());
        waiting.push(Bytes::from_static(b"last"));
        assert_eq!(waiting.take(), ["last"]);
        assert!(waiting.take().is_empty());
    }
}
