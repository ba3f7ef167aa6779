//! How an ear that waits is woken, and what others may know of it.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// An inner service that fails is asked no more often than this, however many requests its session makes.
const UNDISTURBED: Duration = Duration::from_secs(1);

const AWAKE: u8 = 0;
const ASLEEP: u8 = 1;
const REFUSED: u8 = 2;
const NO_STREAM: u8 = 3;

/// Between a binding and its ear.
#[derive(Default)]
pub(crate) struct EarSignal {
    state: AtomicU8,
    request: Notify,
    new_head: Notify,
}

impl EarSignal {
    /// A request of the session came: an ear that sleeps for long asks again now.
    pub(crate) fn request_came(&self) {
        if self.state.load(Ordering::Relaxed) == ASLEEP {
            self.request.notify_one();
        }
    }

    /// The session has other credentials: an ear that was refused asks again.
    pub(crate) fn head_changed(&self) {
        self.new_head.notify_one();
    }

    /// Whether the ear was refused, and waits for other credentials.
    pub(crate) fn is_refused(&self) -> bool {
        self.state.load(Ordering::Acquire) == REFUSED
    }

    /// Whether the inner service has no stream, and so is not asked again.
    pub(crate) fn has_no_stream(&self) -> bool {
        self.state.load(Ordering::Acquire) == NO_STREAM
    }

    pub(crate) fn set_no_stream(&self) {
        self.state.store(NO_STREAM, Ordering::Release);
    }

    pub(super) fn set_awake(&self) {
        self.state.store(AWAKE, Ordering::Release);
    }

    /// Sleeps, unless a request of the session comes meanwhile.
    pub(super) async fn sleep(&self, pause: Duration) {
        sleep(pause.min(UNDISTURBED)).await;
        let rest = pause.saturating_sub(UNDISTURBED);
        if !rest.is_zero() {
            self.state.store(ASLEEP, Ordering::Release);
            let _ = timeout(rest, self.request.notified()).await;
            self.set_awake();
        }
    }

    /// Waits until the session has other credentials.
    pub(super) async fn other_head(&self) {
        self.state.store(REFUSED, Ordering::Release);
        self.new_head.notified().await;
        self.set_awake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::yield_now;
    use tokio::time::Instant;

    use super::*;

    const PAUSE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_request_wakes_an_ear_that_sleeps_for_long_once_a_second_at_most() {
        let signal = Arc::new(EarSignal::default());
        let begun = Instant::now();
        let asleep = tokio::spawn({
            let signal = Arc::clone(&signal);
            async move { signal.sleep(PAUSE).await }
        });
        while !asleep.is_finished() {
            signal.request_came();
            sleep(Duration::from_millis(10)).await;
        }
        let slept = begun.elapsed();
        assert!(slept >= UNDISTURBED && slept < UNDISTURBED * 2, "{slept:?}");
        signal.sleep(PAUSE).await;
        assert_eq!(begun.elapsed(), slept + PAUSE, "nobody came");
    }

    #[tokio::test(start_paused = true)]
    async fn an_ear_that_was_refused_waits_for_another_head_and_for_nothing_else() {
        let signal = Arc::new(EarSignal::default());
        let refused = tokio::spawn({
            let signal = Arc::clone(&signal);
            async move { signal.other_head().await }
        });
        while !signal.is_refused() {
            yield_now().await;
        }
        signal.request_came();
        sleep(PAUSE * 60).await;
        assert!(!refused.is_finished());
        signal.head_changed();
        refused.await.unwrap();
        assert!(!signal.is_refused());
    }
}
