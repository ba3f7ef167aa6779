//! How often something may happen on this replica, for when the store cannot count for all of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::rate::{Rate, SlidingWindow};

/// Counts by name in sliding windows: in any span of `rate.per` at most `rate.most` are permitted. Refusals do not count.
///
/// It keeps a bounded number of names; under a flood of them those quiet the longest are forgotten first.
pub(crate) struct LocalLimiter {
    /// What windows count from.
    began: Instant,
    windows: Mutex<HashMap<Box<str>, SlidingWindow>>,
}

impl Default for LocalLimiter {
    fn default() -> Self {
        Self { began: Instant::now(), windows: Mutex::default() }
    }
}

impl LocalLimiter {
    const MAX_NAMES: usize = 4096;

    /// Takes a permit. `None`: permitted; otherwise the time after which one will be free.
    pub(crate) fn take(&self, name: &str, rate: &Rate, now: Instant) -> Option<Duration> {
        if rate.most == 0 {
            return Some(rate.per);
        }
        let now = now.saturating_duration_since(self.began);
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = windows.get_mut(name) {
            return window.take(rate, now);
        }
        if windows.len() >= Self::MAX_NAMES {
            make_room(&mut windows, now);
        }
        windows.entry(name.into()).or_default().take(rate, now)
    }
}

/// What a replica permits by itself where all of them together may permit `rate`: a quarter of it, at least one (of none: none).
pub(crate) fn stricter(rate: &Rate) -> Rate {
    Rate { most: rate.most.div_ceil(4), per: rate.per }
}

/// Forgets the windows that are over, or else the one whose last permit is the oldest.
fn make_room(windows: &mut HashMap<Box<str>, SlidingWindow>, now: Duration) {
    windows.retain(|_, window| !window.is_over(now));
    if windows.len() >= LocalLimiter::MAX_NAMES
        && let Some(oldest) = windows.iter().min_by_key(|(_, window)| window.latest()).map(|(name, _)| name.clone())
    {
        windows.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const RATE: Rate = Rate { most: 2, per: Duration::from_secs(10) };

    #[test]
    fn no_span_sees_more_than_its_permits() {
        let (limiter, start) = (LocalLimiter::default(), Instant::now());
        let at = |seconds: u32| limiter.take("a", &RATE, start + SECOND * seconds);
        assert_eq!([at(0), at(4)], [None, None]);
        assert_eq!(at(4), Some(SECOND * 6));
        assert_eq!(at(9), Some(SECOND));
        assert_eq!([at(10), at(11)], [None, Some(SECOND * 3)]);
        assert_eq!(limiter.take("b", &RATE, start), None);
    }

    #[test]
    fn a_permit_is_free_after_the_time_that_was_told() {
        let (limiter, mut now) = (LocalLimiter::default(), Instant::now());
        for _ in 0..20 {
            if let Some(wait) = limiter.take("a", &RATE, now) {
                now += wait;
                assert_eq!(limiter.take("a", &RATE, now), None);
            }
        }
    }

    #[test]
    fn a_rate_of_none_permits_nothing() {
        let limiter = LocalLimiter::default();
        let rate = Rate { most: 0, per: SECOND };
        assert_eq!(limiter.take("a", &rate, Instant::now()), Some(SECOND));
        assert!(limiter.windows.lock().unwrap().is_empty());
    }

    #[test]
    fn a_flood_of_names_is_bounded_and_the_latest_are_remembered() {
        let (limiter, start) = (LocalLimiter::default(), Instant::now());
        let once = Rate { most: 1, per: Duration::from_secs(3600) };
        let names = || limiter.windows.lock().unwrap().len();
        for at in 0..LocalLimiter::MAX_NAMES as u32 + 10 {
            assert_eq!(limiter.take(&at.to_string(), &once, start + Duration::from_millis(at.into())), None);
        }
        assert_eq!(names(), LocalLimiter::MAX_NAMES);
        let soon = start + SECOND * 60;
        assert!(limiter.take("4000", &once, soon).is_some());
        assert_eq!(limiter.take("0", &once, soon), None);
        assert_eq!(limiter.take("new", &once, start + SECOND * 7200), None);
        assert_eq!(names(), 1);
    }

    #[test]
    fn a_replica_alone_permits_a_quarter_and_at_least_one() {
        let quarter = |most| stricter(&Rate { most, per: SECOND });
        assert_eq!([quarter(100), quarter(7), quarter(1), quarter(0)].map(|rate| rate.most), [25, 2, 1, 0]);
        assert_eq!(quarter(8).per, SECOND);
    }
}
