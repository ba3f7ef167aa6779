//! [`MemoryStore`]: sessions in one process's memory, and the executable specification of what a store must do.
//!
//! One lock around plain maps makes every method atomic. Clones share the same sessions, so several layers in one process
//! behave like replicas.

mod adopt;
mod bus;
mod chronicle;
mod events;
mod inbox;
mod inner;
mod limiter;
mod log;
mod reconnect;
mod state;
mod streams;
mod survey;
mod sweep;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::broadcast;
use tokio::time::Instant;

use self::inbox::Wire;
use self::inner::Inner;
use self::log::Log;
use self::state::{Entry, Own, State};
use super::{
    Adoption, Blueprint, BusMessage, Census, DataPut, DataRemoved, Ended, EndedBy, InnerReplaced, Lifetimes, Opening,
    Reconnected, Reconnection, Revival, SessionStore, StoreError, Swept, Touch, TouchOutcome, Touched,
};
use crate::event::{Change, Comeback, SessionEvent};
use crate::id::SessionKey;
use crate::session::{EndReason, NewSession, Principal, SessionRecord, SessionStatus, Timestamp};

/// Sessions in this process's memory: for one replica, for tests, for trying things out. A restart forgets them.
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    news: broadcast::Sender<BusMessage>,
    events: broadcast::Sender<SessionEvent>,
    clock: Clock,
}

/// Starts at the wall clock and runs on the monotonic one: it never jumps, and a paused tokio clock pauses it.
struct Clock {
    started: Instant,
    epoch: Duration,
}

impl Clock {
    fn now(&self) -> Timestamp {
        let since_epoch = self.epoch + self.started.elapsed();
        Timestamp(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// A store without sessions.
    #[must_use]
    pub fn new() -> Self {
        let epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let shared = Shared {
            state: Mutex::default(),
            news: broadcast::Sender::new(1024),
            events: broadcast::Sender::new(1024),
            clock: Clock { started: Instant::now(), epoch },
        };
        Self { shared: Arc::new(shared) }
    }

    /// A panic under this lock leaves the maps as consistent as the last finished step; sessions are worth more than purity.
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Records a change of a session that lives.
    fn record_of(&self, state: &mut State, at: Timestamp, key: &SessionKey, change: Change) {
        let session = state.sessions.get(key).map(Entry::view);
        self.record(state, at, change, session);
    }

    /// Ends a session; `false` if it does not live.
    fn close(&self, state: &mut State, at: Timestamp, key: &SessionKey, reason: EndReason) -> bool {
        let session = state.sessions.get(key).map(Entry::view);
        let lived = state.remove(key, at);
        if lived {
            self.record(state, at, Change::Terminated(reason), session);
        }
        lived
    }

    /// Nobody listening is fine.
    fn tell(&self, message: BusMessage) {
        let _ = self.shared.news.send(message);
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn open(&self, session: &NewSession, cap: Option<u64>) -> Result<Opening, StoreError> {
        let now = self.now();
        let mut state = self.state();
        if cap.is_some_and(|cap| state.sessions.len() as u64 >= cap) {
            return Ok(Opening::Full);
        }
        if state.sessions.contains_key(&session.key) {
            return Ok(Opening::KeyTaken);
        }
        let record = SessionRecord {
            key: session.key,
            digest: session.digest,
            generation: 0,
            status: SessionStatus::Active,
            created_at: now,
            lifetimes: session.lifetimes,
            origin: session.origin.clone(),
        };
        let entry = Entry {
            record,
            handshake: session.handshake.clone(),
            last_seen: now,
            is_confirmed: false,
            due: None,
            data: HashMap::new(),
            log: Log::default(),
            wire: Wire::default(),
            retry: None,
            inner: Inner::first(session.inner.clone()),
        };
        state.farewells.take(&session.key, now);
        state.sessions.insert(session.key, entry);
        state.place(&session.key, SessionStatus::Active, now);
        self.record_of(&mut state, now, &session.key, Change::Created);
        self.tell(BusMessage::Opened(session.key));
        Ok(Opening::Opened { at: now })
    }

    async fn find(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        Ok(self.state().sessions.get(key).map(|entry| entry.record.clone()))
    }

    async fn blueprint(&self, key: &SessionKey) -> Result<Option<Blueprint>, StoreError> {
        let blueprint = |entry: &Entry| {
            entry.wire.blueprint(entry.record.generation, entry.handshake.clone(), entry.inner.current())
        };
        Ok(self.state().sessions.get(key).map(blueprint))
    }

    async fn touch(&self, batch: &[Touch]) -> Result<Touched, StoreError> {
        let now = self.now();
        let mut state = self.state();
        let mut touch = |touch: &Touch| match state.sessions.get(&touch.key) {
            None => TouchOutcome::Gone,
            Some(entry) if entry.is_over(now) => TouchOutcome::Gone,
            Some(entry) if entry.record.generation != touch.generation => TouchOutcome::Superseded,
            Some(entry) => {
                let (status, seen) = (entry.record.status, entry.last_seen.max(now.before(touch.age)));
                if touch.confirms {
                    state.confirm(&touch.key);
                }
                if status == SessionStatus::Disconnected {
                    return TouchOutcome::Disconnected;
                }
                state.place(&touch.key, SessionStatus::Active, seen);
                TouchOutcome::Active
            }
        };
        Ok(Touched { now, outcomes: batch.iter().map(&mut touch).collect() })
    }

    async fn revive(&self, key: &SessionKey, generation: u32, replica: &str) -> Result<Revival, StoreError> {
        let now = self.now();
        let mut state = self.state();
        let entry = match state.own(key, generation) {
            Own::Live(entry) => entry,
            Own::Superseded => return Ok(Revival::Superseded),
            Own::Gone => return Ok(Revival::Gone),
        };
        let gap = now.since(entry.last_seen);
        match entry.record.status {
            SessionStatus::Active => Ok(Revival::AlreadyActive),
            SessionStatus::Disconnected if entry.is_over(now) => Ok(Revival::Gone),
            SessionStatus::Disconnected => {
                let before = entry.view();
                entry.record.origin.replica = replica.into();
                state.place(key, SessionStatus::Active, now);
                self.record_comeback(&mut state, now, &before, Comeback::Return);
                self.tell(BusMessage::Revived(*key));
                Ok(Revival::Revived { gap })
            }
        }
    }

    async fn reconnect(&self, change: &Reconnection) -> Result<Reconnected, StoreError> {
        Ok(self.renew(change))
    }

    async fn adopt(&self, key: &SessionKey, generation: u32, principal: &Principal) -> Result<Adoption, StoreError> {
        Ok(self.give_to(key, generation, principal))
    }

    async fn replace_inner(
        &self,
        key: &SessionKey,
        generation: u32,
        expected: Option<u64>,
        sealed: Bytes,
    ) -> Result<InnerReplaced, StoreError> {
        Ok(match self.state().own(key, generation) {
            Own::Live(entry) => entry.inner.compare_and_set(expected, sealed),
            Own::Superseded => InnerReplaced::Superseded,
            Own::Gone => InnerReplaced::Gone,
        })
    }

    async fn take_inner(&self, key: &SessionKey) -> Result<Option<Bytes>, StoreError> {
        let now = self.now();
        Ok(self.state().farewells.take(key, now))
    }

    async fn end(&self, key: &SessionKey, by: EndedBy, reason: EndReason) -> Result<Ended, StoreError> {
        let now = self.now();
        let mut state = self.state();
        if let EndedBy::Holder(generation) = by
            && let Own::Superseded = state.own(key, generation)
        {
            return Ok(Ended::Superseded);
        }
        if !self.close(&mut state, now, key, reason) {
            return Ok(Ended::Gone);
        }
        self.tell(BusMessage::Ended(*key, reason));
        let inner = match by {
            EndedBy::Holder(_) => state.farewells.take(key, now),
            EndedBy::Operator => None,
        };
        Ok(Ended::Done { inner })
    }

    async fn sweep(&self, grace: Duration, limit: usize) -> Result<Swept, StoreError> {
        Ok(self.sweep_due(grace, limit))
    }

    async fn apply_lifetimes(&self, lifetimes: &Lifetimes) -> Result<u64, StoreError> {
        let mut state = self.state();
        let keys: Vec<SessionKey> = state.sessions.keys().copied().collect();
        keys.iter().for_each(|key| state.give_lifetimes(key, lifetimes));
        Ok(keys.len() as u64)
    }

    async fn announce_lifetimes(&self, lifetimes: &Lifetimes) -> Result<Option<Lifetimes>, StoreError> {
        Ok(self.state().announced.replace(*lifetimes))
    }

    async fn data_get(&self, key: &SessionKey, name: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(self.state().sessions.get(key).and_then(|entry| entry.data.get(name).cloned()))
    }

    async fn data_put(
        &self,
        key: &SessionKey,
        generation: u32,
        name: &str,
        value: Bytes,
        limit: usize,
    ) -> Result<DataPut, StoreError> {
        let mut state = self.state();
        let entry = match state.own(key, generation) {
            Own::Live(entry) => entry,
            Own::Superseded => return Ok(DataPut::Superseded),
            Own::Gone => return Ok(DataPut::Gone),
        };
        let others = entry.data.iter().filter(|(other, _)| *other != name);
        let size: usize = others.map(|(name, value)| name.len() + value.len()).sum();
        if size + name.len() + value.len() > limit {
            return Ok(DataPut::TooLarge);
        }
        entry.data.insert(name.to_owned(), value);
        Ok(DataPut::Stored)
    }

    async fn data_remove(&self, key: &SessionKey, generation: u32, name: &str) -> Result<DataRemoved, StoreError> {
        Ok(match self.state().own(key, generation) {
            Own::Live(entry) => match entry.data.remove(name) {
                Some(_) => DataRemoved::Removed,
                None => DataRemoved::Nothing,
            },
            Own::Superseded => DataRemoved::Superseded,
            Own::Gone => DataRemoved::Gone,
        })
    }

    async fn census(&self) -> Result<Census, StoreError> {
        let state = self.state();
        Ok(Census { active: state.seen.len() as u64, disconnected: state.gone.len() as u64 })
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use futures::StreamExt;

    use super::*;
    use crate::id::{NonceDigest, SessionId};
    use crate::protocol::version::ProtocolVersion;
    use crate::session::{ClientInfo, SessionOrigin};
    use crate::store::{Bus, Store};

    async fn fresh() -> (Arc<dyn Store>, ()) {
        (Arc::new(MemoryStore::new()), ())
    }

    crate::store_contract_tests!(fresh);

    #[tokio::test(start_paused = true)]
    async fn a_winner_may_retry_for_half_a_minute() {
        let store = MemoryStore::new();
        let id = SessionId::generate().unwrap();
        let (key, digest) = (id.key(), id.digest());
        let origin = SessionOrigin {
            protocol_version: ProtocolVersion::V2025_11_25,
            client: ClientInfo::default(),
            principal: None,
            replica: "a-1".into(),
            adopted: None,
            inner_has_sessions: true,
        };
        let (handshake, lifetimes) = (Bytes::new(), Lifetimes::default());
        let session = NewSession { key, digest, lifetimes, origin: origin.clone(), handshake, inner: None };
        store.open(&session, None).await.unwrap();
        let nonce = NonceDigest::of(b"nonce");
        let change = Reconnection { key, generation: 0, digest, origin, handshake: None, inner: None, nonce };
        let again = async || match store.reconnect(&change).await.unwrap() {
            Reconnected::Done { again, .. } => Some(again),
            Reconnected::Superseded | Reconnected::Gone => None,
        };
        assert_eq!(again().await, Some(false));
        tokio::time::advance(Reconnection::RETRY_WINDOW - Duration::from_millis(1)).await;
        assert_eq!(again().await, Some(true));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(again().await, None, "a retry does not prolong the time for retries");
    }

    #[tokio::test]
    async fn the_bus_ends_with_the_last_clone() {
        let one = MemoryStore::new();
        let two = one.clone();
        let mut news = two.subscribe().await.unwrap();
        drop(one);
        two.tell(BusMessage::Opened(SessionKey::parse("AAAAAAAAAAAAAAAA").unwrap()));
        assert!(news.next().await.is_some());
        drop(two);
        assert_eq!(news.next().await, None);
    }
}
