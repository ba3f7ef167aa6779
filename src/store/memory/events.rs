//! [`EventLog`] in memory: one part, its epoch as old as the process.

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::broadcast;

use super::MemoryStore;
use super::state::{Entry, State};
use crate::event::{Change, Comeback, SessionView};
use crate::id::SessionKey;
use crate::session::Timestamp;
use crate::store::{Epoch, EventHead, EventLog, EventSignal, EventSlice, Refusal, StoreError};

impl MemoryStore {
    /// Records an event with the change it tells of: under the same lock.
    pub(super) fn record(&self, state: &mut State, at: Timestamp, change: Change, session: Option<SessionView>) {
        let event = state.chronicle.record(at, change, session);
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
