//! What all scenarios together have seen: the figures behind the goals that were written down.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::measure::Measure;
use crate::report::{bytes, time};

pub struct Evidence {
    /// Requests to the monitor's API.
    pub api: Measure,
    /// From cause to viewer.
    pub events: Measure,
    reconnected: AtomicU64,
    tried: AtomicU64,
    traffic: Mutex<Option<Traffic>>,
}

impl Evidence {
    pub fn new() -> Self {
        Self {
            api: Measure::new(),
            events: Measure::new(),
            reconnected: AtomicU64::new(0),
            tried: AtomicU64::new(0),
            traffic: Mutex::new(None),
        }
    }

    /// A client came back with a good token, and was let in or not.
    pub fn came_back(&self, was_let_in: bool) {
        self.tried.fetch_add(1, Ordering::Relaxed);
        self.reconnected.fetch_add(u64::from(was_let_in), Ordering::Relaxed);
    }

    /// How many were let in, of how many.
    pub fn reconnects(&self) -> (u64, u64) {
        (self.reconnected.load(Ordering::Relaxed), self.tried.load(Ordering::Relaxed))
    }

    pub fn compared(&self, traffic: Traffic) {
        *self.traffic.lock().unwrap_or_else(PoisonError::into_inner) = Some(traffic);
    }

    pub fn traffic(&self) -> Option<Traffic> {
        *self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One dashboard over the feed and one that polls, over the same time.
#[derive(Clone, Copy, Debug)]
pub struct Traffic {
    pub span: Duration,
    pub feed_bytes: u64,
    pub poll_bytes: u64,
    pub polls: u64,
    pub poll_interval: Duration,
    /// Sessions fell idle between two calls, which is no ordinary while.
    pub falls_idle: bool,
}

/// The interval that dashboards poll at, as those did whose goal this was.
pub const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// Shorter comparisons are about how a dashboard begins.
const LONG_ENOUGH: Duration = Duration::from_secs(60);

impl Traffic {
    pub fn saved_percent(&self) -> f64 {
        100.0 * (1.0 - self.feed_bytes as f64 / self.poll_bytes.max(1) as f64)
    }

    /// Why the goal cannot be judged by this.
    pub fn not_comparable(&self) -> Option<String> {
        match () {
            () if self.span < LONG_ENOUGH => {
                Some(format!("it takes {} to judge: --duration 4m, or no --time-scale", time(LONG_ENOUGH)))
            }
            () if self.falls_idle => Some("sessions fell idle between calls: --idle-timeout 5m shows more".to_owned()),
            () => None,
        }
    }

    pub fn told(&self) -> String {
        format!(
            "{:.1} %: {} over the feed, {} by polling health and the list every {} ({} polls in {}; bodies and frames \
             alone)",
            self.saved_percent(),
            bytes(self.feed_bytes as f64),
            bytes(self.poll_bytes as f64),
            time(self.poll_interval),
            self.polls,
            time(self.span)
        )
    }
}
