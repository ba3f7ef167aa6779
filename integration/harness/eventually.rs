//! Waiting for what has to happen, instead of sleeping and hoping.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Looks until something is there, and panics with `what` if it is not within `limit`.
pub(crate) async fn eventually<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < limit, "waited {limit:?} in vain: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}
