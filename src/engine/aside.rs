//! *What is worth a note, and no operation of its own?* Refused reconnects and requests without a session are told to the store
//! in passing, with the flushes.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[cfg(feature = "reconnect")]
use tokio::time::Instant;

use crate::engine::Engine;
use crate::rate::Rate;
use crate::store::{Refusal, StoreError};

/// Refusals that one replica records: under a flood of them the log would soon hold nothing else. All of them are audited.
const RECORDED: Rate = Rate { most: 20, per: Duration::from_secs(1) };
/// Refusals that wait while the store is away.
const WAITING: usize = 256;

/// What the store has not been told yet.
#[derive(Default)]
pub(crate) struct Asides {
    modern: AtomicU64,
    refused: Mutex<Vec<Refusal>>,
}

impl Asides {
    /// Counts a request of a revision without sessions.
    pub(crate) fn count_modern(&self) {
        self.modern.fetch_add(1, Ordering::Relaxed);
    }

    fn refused(&self) -> MutexGuard<'_, Vec<Refusal>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Notes a refused reconnect.
    #[cfg(feature = "reconnect")]
    pub(crate) fn note_refusal(&self, refusal: Refusal) {
        let mut waiting = self.asides.refused();
        if waiting.len() < WAITING && self.local_limits.take("refusals", &RECORDED, Instant::now()).is_none() {
            waiting.push(refusal);
        }
    }

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
        let mut waiting = mem::take(&mut *self.asides.refused()).into_iter();
        while let Some(refusal) = waiting.next() {
            if let Err(error) = self.store.record_refusal(&refusal).await {
                let mut refused = self.asides.refused();
                let later = mem::take(&mut *refused);
                refused.extend([refusal].into_iter().chain(waiting).chain(later).take(WAITING));
                return Err(error);
            }
        }
        Ok(())
    }
}
