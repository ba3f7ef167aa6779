//! [`EventLog`] in memory: one part, its epoch as old as the process.

use std::collections::{BTreeMap, HashMap, VecDeque};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::broadcast;

use super::MemoryStore;
use super::state::{Entry, State};
use crate::event::{Change, Comeback, SessionEvent, SessionView};
use crate::id::SessionKey;
use crate::session::{ClientInfo, SessionStatus, Timestamp, millis};
use crate::store::{Bucket, ClientUse, Epoch, EventHead, EventLog, EventSignal, EventSlice, Refusal, StoreError};

/// Events kept.
const KEPT: usize = 10_000;

/// What happened, and how often lately.
#[derive(Default)]
pub(super) struct Chronicle {
    events: VecDeque<SessionEvent>,
    last: u64,
    /// By number since the Unix epoch.
    pub(super) buckets: BTreeMap<u64, Bucket>,
    /// Requests of the revisions without sessions, by the hour since the Unix epoch and by client.
    modern: BTreeMap<u64, HashMap<ClientInfo, u64>>,
}

impl Chronicle {
    fn slice(&self, head: EventHead, after: u64, max: usize) -> EventSlice {
        let lost = self.last - self.events.len() as u64;
        let later = self.events.iter().filter(|event| event.offset > after);
        EventSlice { head, gap: after < lost, events: later.take(max).cloned().collect() }
    }

    /// The bucket of a moment; those of yesterday go.
    pub(super) fn bucket(&mut self, at: Timestamp) -> &mut Bucket {
        let number = at.0 / millis(Bucket::SPAN);
        self.buckets = self.buckets.split_off(&number.saturating_sub(Bucket::A_DAY as u64));
        self.buckets.entry(number).or_default()
    }

    /// Counts requests of the revisions without sessions. Where too many clients would have to be told apart, new ones are not.
    pub(super) fn count_modern(&mut self, at: Timestamp, client: &ClientInfo, requests: u64) {
        self.bucket(at).modern += requests;
        let hour = hour(at);
        self.modern = self.modern.split_off(&hour.saturating_sub(23));
        let clients = self.modern.entry(hour).or_default();
        if clients.contains_key(client) || clients.len() < ClientUse::MOST {
            *clients.entry(client.clone()).or_default() += requests;
        }
    }

    /// How many requests of them each client made in this hour and the 23 before it.
    pub(super) fn modern_clients(&self, now: Timestamp) -> HashMap<ClientInfo, u64> {
        let mut sums: HashMap<_, u64> = HashMap::new();
        for (client, count) in self.modern.range(hour(now).saturating_sub(23)..).flat_map(|(_, clients)| clients) {
            *sums.entry(client.clone()).or_default() += count;
        }
        sums
    }

    fn count(&mut self, at: Timestamp, change: &Change, session: Option<&SessionView>) {
        let bucket = self.bucket(at);
        match (change, session) {
            (Change::Created, _) => bucket.opened += 1,
            (Change::Disconnected, _) => bucket.disconnected += 1,
            (Change::Reconnected { .. }, _) => bucket.reconnected += 1,
            (Change::ReconnectRefused { .. }, _) => bucket.refused += 1,
            (Change::Terminated(_), session) => {
                bucket.ended += 1;
                if let Some(session) = session {
                    bucket.ended_active += u64::from(session.status == SessionStatus::Active);
                    bucket.lived_ms += millis(session.last_seen.since(session.created_at));
                }
            }
        }
    }
}

const fn hour(at: Timestamp) -> u64 {
    at.0 / 3_600_000
}

impl MemoryStore {
    /// Records an event with the change it tells of: under the same lock.
    pub(super) fn record(&self, state: &mut State, at: Timestamp, change: Change, session: Option<SessionView>) {
        let chronicle = &mut state.chronicle;
        chronicle.count(at, &change, session.as_ref());
        chronicle.last += 1;
        let event = SessionEvent { offset: chronicle.last, at, change, session };
        chronicle.events.push_back(event.clone());
        if chronicle.events.len() > KEPT {
            chronicle.events.pop_front();
        }
        // Nobody listening is fine.
        let _ = self.shared.events.send(event);
    }

    /// Records that a session's client came back.
    pub(super) fn record_comeback(&self, state: &mut State, at: Timestamp, before: &SessionView, how: Comeback) {
        let Some(after) = state.sessions.get(&before.key).map(Entry::view) else { return };
        let (gap, from_replica) = (at.since(before.last_seen), before.origin.replica.clone());
        self.record(state, at, Change::Reconnected { how, gap, from_replica }, Some(after));
    }

    fn epoch(&self) -> Epoch {
        let begun = self.shared.clock.epoch.as_nanos();
        Epoch::parse(&begun.to_string()).expect("a number is digits")
    }
}

#[async_trait]
impl EventLog for MemoryStore {
    async fn event_heads(&self) -> Result<Vec<EventHead>, StoreError> {
        Ok(vec![EventHead { epoch: self.epoch(), offset: self.state().chronicle.last }])
    }

    fn event_part(&self, _: &SessionKey) -> usize {
        0
    }

    async fn events(&self, _: usize, after: u64, max: usize) -> Result<EventSlice, StoreError> {
        let state = self.state();
        let head = EventHead { epoch: self.epoch(), offset: state.chronicle.last };
        Ok(state.chronicle.slice(head, after, max))
    }

    async fn record_refusal(&self, refusal: &Refusal) -> Result<(), StoreError> {
        let now = self.now();
        let mut state = self.state();
        let session = refusal.session.and_then(|key| state.sessions.get(&key)).map(Entry::view);
        let change = Change::ReconnectRefused { outcome: refusal.outcome, door: refusal.door };
        self.record(&mut state, now, change, session);
        Ok(())
    }

    /// Nothing is ever lost here.
    async fn renew_epoch(&self, _: usize, _: &EventHead) -> Result<EventHead, StoreError> {
        Ok(EventHead { epoch: self.epoch(), offset: self.state().chronicle.last })
    }

    async fn hear_events(&self) -> Result<BoxStream<'static, EventSignal>, StoreError> {
        let (receiver, epoch) = (self.shared.events.subscribe(), self.epoch());
        let heard = stream::unfold((receiver, epoch), |(mut receiver, epoch)| async {
            let signal = match receiver.recv().await {
                Ok(event) => EventSignal::Event { part: 0, epoch: epoch.clone(), event: Box::new(event) },
                Err(broadcast::error::RecvError::Lagged(_)) => EventSignal::Gap,
                Err(broadcast::error::RecvError::Closed) => return None,
            };
            Some((signal, (receiver, epoch)))
        });
        Ok(heard.boxed())
    }
}
