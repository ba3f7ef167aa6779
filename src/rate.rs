//! [`Rate`], so many in so long, and the [`SlidingWindow`] that counts it: purely, by the caller's clock.

use std::collections::VecDeque;
use std::time::Duration;

/// So many in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Permits given in any span of that length.
    pub most: u32,
    /// The span.
    pub per: Duration,
}

/// The permits of one name: in no span of `rate.per` are more given than `rate.most`. What is refused is not counted.
///
/// Times are spans since a moment of the caller's choice, always the same.
#[derive(Default)]
pub(crate) struct SlidingWindow {
    /// When permits were given, the oldest first.
    given: VecDeque<Duration>,
    /// How long the last one counts.
    span: Duration,
}

impl SlidingWindow {
    /// Takes a permit. `None`: given; otherwise the time after which there is one.
    pub(crate) fn take(&mut self, rate: &Rate, now: Duration) -> Option<Duration> {
        while self.given.front().is_some_and(|first| now.saturating_sub(*first) >= rate.per) {
            self.given.pop_front();
        }
        let Some(next) = self.given.len().checked_sub(rate.most as usize) else {
            self.given.push_back(now);
            self.span = rate.per;
            return None;
        };
        Some(self.given.get(next).map_or(rate.per, |first| rate.per.saturating_sub(now.saturating_sub(*first))))
    }

    /// When the last permit was given.
    pub(crate) fn latest(&self) -> Option<Duration> {
        self.given.back().copied()
    }

    /// Whether none of its permits counts any more.
    pub(crate) fn is_over(&self, now: Duration) -> bool {
        self.latest().is_none_or(|last| now.saturating_sub(last) >= self.span)
    }
}
