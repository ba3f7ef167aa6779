//! Waiting for something to become true, and no longer than that.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long to wait for what should happen "soon": generous, since it is paid only by failing tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `probe` is true.
///
/// # Panics
///
/// If it never is; the text says what was waited for.
pub(crate) async fn eventually(what: &str, probe: impl AsyncFnMut() -> bool) {
    within(PATIENCE, what, probe).await;
}

/// Waits until `probe` is true, at most `limit`; returns how long it took.
pub(crate) async fn within(limit: Duration, what: &str, probe: impl AsyncFnMut() -> bool) -> Duration {
    let started = Instant::now();
    assert!(becomes(limit, probe).await, "not within {limit:?}: {what}");
    started.elapsed()
}

/// Whether `probe` becomes true within `limit`.
pub(crate) async fn becomes(limit: Duration, mut probe: impl AsyncFnMut() -> bool) -> bool {
    let started = Instant::now();
    while !probe().await {
        if started.elapsed() >= limit {
            return false;
        }
        sleep(Duration::from_millis(10)).await;
    }
    true
}

/// Probes all through `span` that `probe` stays true.
pub(crate) async fn throughout(span: Duration, what: &str, mut probe: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while started.elapsed() < span {
        assert!(probe().await, "no longer true after {:?}: {what}", started.elapsed());
        sleep(Duration::from_millis(20)).await;
    }
}

/// The value of a future that should be ready soon.
///
/// # Panics
///
/// If it is not.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("not within {PATIENCE:?}: {what}"),
    }
}

/// What `look` finds, once it finds something.
///
/// # Panics
///
/// If it finds nothing within `limit`; the text says what was looked for.
pub(crate) async fn found_within<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < limit, "looked {limit:?} in vain: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}
