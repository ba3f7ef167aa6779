//! Pauses that double, each shortened by chance, so that many that failed together do not come back together.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(250);
pub(crate) const LONGEST: Duration = Duration::from_secs(60);

pub(crate) struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: SHORTEST }
    }
}

impl Backoff {
    /// How long to wait now: between three quarters of the pause and the whole of it.
    pub(crate) fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST);
        pause - (pause / 4).mul_f64(chance())
    }
}

/// Between 0 and 1; without randomness all wait equally long.
fn chance() -> f64 {
    f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_are_never_longer() {
        let mut backoff = Backoff::default();
        let mut whole = SHORTEST;
        for _ in 0..12 {
            let pause = backoff.pause();
            assert!(pause <= whole && pause >= whole * 3 / 4, "{pause:?} of {whole:?}");
            whole = (whole * 2).min(LONGEST);
        }
        assert_eq!(whole, LONGEST);
    }
}
