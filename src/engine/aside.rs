//! *What is worth a note, and no operation of its own?* Refused reconnects and requests without a session are told to the store
//! in passing, with the flushes.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
#[cfg(feature = "reconnect")]
use tokio::time::Instant;

use crate::engine::Engine;
use crate::rate::Rate;
use crate::session::ClientInfo;
use crate::store::{Refusal, StoreError};

/// Refusals that one replica records: under a flood of them the log would soon hold nothing else. All of them are audited.
const RECORDED: Rate = Rate { most: 20, per: Duration::from_secs(1) };
/// Refusals that wait while the store is away.
const WAITING: usize = 256;

/// Clients of modern requests that are told apart between two flushes, and what they may say of themselves. Who is beyond counts
/// as one that says nothing.
const APART: usize = 50;
const LONGEST: usize = 1024;

/// What the store has not been told yet.
#[derive(Default)]
pub(crate) struct Asides {
    /// By what a client says of itself, as it wrote it.
    modern: Mutex<HashMap<Box<str>, u64>>,
    refused: Mutex<Vec<Refusal>>,
}

impl Asides {
    /// Counts a request of a revision without sessions, and what its client says of itself, as it wrote it.
    pub(crate) fn count_modern(&self, client_info: Option<&str>) {
        add(&mut self.modern(), client_info.filter(|text| text.len() <= LONGEST).unwrap_or_default(), 1);
    }

    fn modern(&self) -> MutexGuard<'_, HashMap<Box<str>, u64>> {
        self.modern.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refused(&self) -> MutexGuard<'_, Vec<Refusal>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add(modern: &mut HashMap<Box<str>, u64>, client: &str, requests: u64) {
    let client = if modern.len() < APART || modern.contains_key(client) { client } else { "" };
    match modern.get_mut(client) {
        Some(counted) => *counted += requests,
        None => drop(modern.insert(client.into(), requests)),
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
        let counted = mem::take(&mut *self.asides.modern());
        let told = counted.iter().map(async |(client, requests)| {
            let told = self.store.count_modern(&ClientInfo::from_json(client), *requests).await;
            told.inspect_err(|_| add(&mut self.asides.modern(), client, *requests))
        });
        join_all(told).await.into_iter().collect()
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
