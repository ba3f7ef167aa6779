//! How a replica leaves: open streams are told to come back elsewhere, calls finish, the last activity is told.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::Engine;

/// How long recordings that are cut short may take to say so, and inner services to be told that their sessions are closed.
const LAST_WORDS: Duration = Duration::from_millis(700);

/// What is open on this replica, and the signals that end it.
#[derive(Default)]
pub(crate) struct Drain {
    /// Calls in flight, and the streams that carry their answers.
    pub(crate) calls: TaskTracker,
    /// Sockets of the feed, which end with those streams.
    pub(crate) viewers: TaskTracker,
    /// The clients' GET streams end at once: they wait for nothing in particular.
    pub(crate) listens_end: CancellationToken,
    /// Streams of calls end once their time is up.
    pub(crate) calls_end: CancellationToken,
}

impl Drain {
    pub(crate) fn is_draining(&self) -> bool {
        self.listens_end.is_cancelled()
    }
}

impl Engine {
    /// Ends the listening streams now, and those of calls after the drain timeout.
    pub(crate) fn close_streams(self: &Arc<Self>) {
        if self.drain.is_draining() {
            return;
        }
        self.drain.listens_end.cancel();
        self.drain.calls.close();
        let engine = Arc::clone(self);
        tokio::spawn(async move {
            let _ = timeout(engine.config.drain_timeout, engine.drain.calls.wait()).await;
            engine.drain.calls_end.cancel();
        });
    }

    /// Waits for the calls in flight, at most the drain timeout, tells the last activity and stops the background tasks.
    pub(crate) async fn shut_down(self: &Arc<Self>) {
        self.close_streams();
        let finished = timeout(self.config.drain_timeout, self.drain.calls.wait()).await.is_ok();
        if !finished {
            tracing::warn!(calls = self.drain.calls.len(), "calls still running at the end of the drain timeout");
        }
        self.drain.calls_end.cancel();
        // Recordings that were cut short say so in the log.
        let _ = timeout(LAST_WORDS, self.drain.calls.wait()).await;
        self.drain.viewers.close();
        let _ = timeout(LAST_WORDS, self.drain.viewers.wait()).await;
        let telling = self.telling.lock().await;
        drop(self.take_tasks());
        self.tell().await;
        drop(telling);
        let farewells = self.residents.all().into_iter().filter_map(|resident| self.release(&resident));
        let _ = timeout(LAST_WORDS, join_all(farewells.collect::<Vec<_>>())).await;
        if let Err(error) = self.store.withdraw(&self.replica_id).await {
            tracing::debug!(%error, "this replica could not say that it leaves; it is given up in a few seconds");
        }
    }
}
