//! [`Survey`] in memory.

use std::cmp::Reverse;
use std::collections::HashMap;

use async_trait::async_trait;

use super::MemoryStore;
use super::state::{Entry, State};
use crate::event::SessionView;
use crate::id::SessionKey;
use crate::session::{ClientInfo, SessionStatus, Timestamp, millis};
use crate::store::{Age, AgeLimits, Ages, Bucket, ClientUse, Place, StoreError, Survey, Vitals};

impl Entry {
    pub(super) fn view(&self) -> SessionView {
        SessionView::of(&self.record, self.last_seen)
    }
}

#[async_trait]
impl Survey for MemoryStore {
    async fn vitals(&self, ages: &AgeLimits) -> Result<Vitals, StoreError> {
        let now = self.now();
        let state = self.state();
        let sessions = || state.sessions.values();
        Ok(Vitals {
            now,
            active: state.seen.len() as u64,
            disconnected: state.gone.len() as u64,
            ages: sessions().fold(Ages::default(), |found, entry| count_age(found, now, entry.last_seen, ages)),
            lived: sessions().map(|entry| entry.last_seen.since(entry.record.created_at)).sum(),
            history: history(&state, now),
            clients: ClientUse::ranked(clients(&state), state.chronicle.modern_clients(now)),
        })
    }

    async fn view(&self, key: &SessionKey) -> Result<Option<SessionView>, StoreError> {
        Ok(self.state().sessions.get(key).map(Entry::view))
    }

    async fn page(
        &self,
        status: Option<SessionStatus>,
        from: Option<&Place>,
        max: usize,
    ) -> Result<Vec<SessionView>, StoreError> {
        let state = self.state();
        let indexes = [(SessionStatus::Active, &state.seen), (SessionStatus::Disconnected, &state.gone)];
        let wanted = indexes.into_iter().filter(|(of, _)| status.is_none_or(|status| status == *of));
        let after = |place: &&(Timestamp, SessionKey)| from.is_none_or(|from| **place < (from.last_seen, from.key));
        let mut found: Vec<_> =
            wanted.flat_map(|(_, index)| index.iter().rev().filter(after).take(max)).copied().collect();
        found.sort_unstable_by_key(|place| Reverse(*place));
        found.truncate(max);
        Ok(found.iter().filter_map(|(_, key)| state.sessions.get(key)).map(Entry::view).collect())
    }

    async fn count_modern(&self, client: &ClientInfo, requests: u64) -> Result<(), StoreError> {
        let now = self.now();
        self.state().chronicle.count_modern(now, client, requests);
        Ok(())
    }
}

fn count_age(mut found: Ages, now: Timestamp, last_seen: Timestamp, limits: &AgeLimits) -> Ages {
    match limits.age(now.since(last_seen)) {
        Age::Healthy => found.healthy += 1,
        Age::Aging => found.aging += 1,
        Age::Stale => found.stale += 1,
    }
    found
}

fn history(state: &State, now: Timestamp) -> Vec<Bucket> {
    let last = now.0 / millis(Bucket::SPAN);
    let first = (last + 1).saturating_sub(Bucket::A_DAY as u64);
    (first..=last).map(|number| state.chronicle.buckets.get(&number).copied().unwrap_or_default()).collect()
}

fn clients(state: &State) -> HashMap<ClientInfo, u64> {
    let mut counts: HashMap<_, u64> = HashMap::new();
    for entry in state.sessions.values() {
        *counts.entry(&entry.record.origin.client).or_default() += 1;
    }
    counts.into_iter().map(|(client, count)| (client.clone(), count)).collect()
}
