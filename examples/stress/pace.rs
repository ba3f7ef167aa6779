//! An even pace that does not care how slow the answers are. Whoever starts late has waited, and that counts: measuring from the
//! intended start avoids what is called coordinated omission.

use std::time::{Duration, Instant};

pub struct Pace {
    began: Instant,
    interval: Duration,
}

impl Pace {
    /// So many turns a second, the first one now.
    pub fn new(per_second: f64) -> Self {
        Self { began: Instant::now(), interval: Duration::from_secs_f64(1.0 / per_second) }
    }

    /// Waits for a turn, and returns when it should have begun.
    pub async fn turn(&self, turn: usize) -> Instant {
        let due = self.began + self.interval.mul_f64(turn as f64);
        tokio::time::sleep_until(due.into()).await;
        due
    }
}
