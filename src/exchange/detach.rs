//! Work that its client may not cut short.
//!
//! A call runs inside its client's request, which costs nothing, until the client leaves; then the rest of it goes on in a
//! task of its own (MCP 2025-11-25: a disconnection is not a cancellation).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::Instrument;

/// The work panicked.
pub(super) struct Panicked;

/// Runs in place while it is polled, and in a task of its own once it is dropped unfinished.
pub(super) struct Detach<F: Future<Output: Send + 'static> + Send + 'static> {
    work: Option<(Pin<Box<F>>, TaskTrackerToken)>,
    /// How long it may take then.
    at_most: Option<Duration>,
}

impl<F: Future<Output: Send + 'static> + Send + 'static> Detach<F> {
    pub(super) fn new(work: F, tracker: &TaskTracker) -> Self {
        Self { work: Some((Box::pin(work), tracker.token())), at_most: None }
    }

    /// The same, which may take so long at most once it was dropped.
    pub(super) fn at_most(mut self, limit: Duration) -> Self {
        self.at_most = Some(limit);
        self
    }
}

impl<F: Future<Output: Send + 'static> + Send + 'static> Future for Detach<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some((work, _)) = &mut self.work else { return Poll::Ready(Err(Panicked)) };
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx)));
        let finished = match polled {
            Ok(poll) => Ok(ready!(poll)),
            Err(_) => Err(Panicked),
        };
        self.work = None;
        Poll::Ready(finished)
    }
}

impl<F: Future<Output: Send + 'static> + Send + 'static> Drop for Detach<F> {
    fn drop(&mut self) {
        if let (Some((rest, tracked)), Ok(runtime)) = (self.work.take(), Handle::try_current()) {
            let at_most = self.at_most;
            let rest = async move {
                let _tracked = tracked;
                match at_most {
                    Some(limit) => drop(timeout(limit, rest).await),
                    None => drop(rest.await),
                }
            };
            runtime.spawn(rest.in_current_span());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn dropped_work_goes_on_and_is_still_tracked() {
        let tracker = TaskTracker::new();
        let (go_on, told) = oneshot::channel();
        let (done, finished) = oneshot::channel();
        let work = async move {
            told.await.unwrap();
            done.send(()).unwrap();
        };
        let mut detach = Box::pin(Detach::new(work, &tracker));
        assert!(futures::poll!(detach.as_mut()).is_pending());
        drop(detach);
        assert_eq!(tracker.len(), 1);
        go_on.send(()).unwrap();
        finished.await.unwrap();
        tracker.close();
        tracker.wait().await;
    }

    #[tokio::test]
    async fn a_panic_is_caught() {
        let work = async { panic!("as scripted") };
        assert!(Detach::<_>::new(work, &TaskTracker::new()).await.is_err());
    }
}
