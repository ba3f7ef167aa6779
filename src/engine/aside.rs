//! *What is worth a note, and no operation of its own?* Refused reconnects and requests without a session are told to the store
//! in passing, with the flushes.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::Engine;
use crate::rate::{Rate, SlidingWindow};
use crate::store::{Refusal, StoreError};

/// Refusals that one replica records: under a flood of them the log would soon hold nothing else. All of them are audited.
const RECORDED: Rate = Rate { most: 20, per: Duration::from_secs(1) };
/// Refusals that wait while the store is away.
const WAITING: usize = 256;

/// What the store has not been told yet.
#[derive(Default)]
pub(crate) struct Asides {
    modern: AtomicU64,
    refused: Mutex<Refused>,
}

#[derive(Default)]
struct Refused {
    waiting: Vec<Refusal>,
    recorded: SlidingWindow,
    began: Option<Instant>,
}

impl Asides {
    /// Counts a request of a revision without sessions.
    pub(crate) fn count_modern(&self) {
        self.modern.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes a refused reconnect.
    #[cfg(feature = "reconnect")]
    pub(crate) fn note_refusal(&self, refusal: Refusal) {
        let now = Instant::now();
        let mut refused = self.refused();
        let since = now.saturating_duration_since(*refused.began.get_or_insert(now));
        if refused.waiting.len() < WAITING && refused.recorded.take(&RECORDED, since).is_none() {
            refused.waiting.push(refusal);
        }
    }

    fn refused(&self) -> std::sync::MutexGuard<'_, Refused> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Tells the store. What cannot be told is kept for the next time.
    pub(super) async fn tell_asides(&self) {
        if let Err(error) = self.tell_modern().await {
            tracing::debug!(%error, "modern requests could not be counted in the store; trying again");
        }
        if let Err(error) = self.tell_refusals().await {
            tracing::debug!(%error, "refused reconnects could not be recorded in the store; trying again");
        }
    }

    async fn tell_modern(&self) -> Result<(), StoreError> {
        let requests = self.asides.modern.swap(0, Ordering::Relaxed);
        if requests == 0 {
            return Ok(());
        }
        let told = self.store.count_modern(requests).await;
        if told.is_err() {
            self.asides.modern.fetch_add(requests, Ordering::Relaxed);
        }
        told
    }

    async fn tell_refusals(&self) -> Result<(), StoreError> {
        let mut waiting = mem::take(&mut self.asides.refused().waiting).into_iter();
        while let Some(refusal) = waiting.next() {
            if let Err(error) = self.store.record_refusal(&refusal).await {
                let mut refused = self.asides.refused();
                let later = mem::take(&mut refused.waiting);
                refused.waiting.extend([refusal].into_iter().chain(waiting).chain(later).take(WAITING));
                return Err(error);
            }
        }
        Ok(())
    }
}
