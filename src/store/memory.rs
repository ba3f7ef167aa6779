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
use self::state::{Entry, Own, State, due};
use super::{
    Adoption, Blueprint, BusMessage, Census, DataPut, InnerReplaced, Lifetimes, Opening, Reconnected, Reconnection,
    Revival, SessionStore, StoreError, Swept, Touch, TouchOutcome, Touched,
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
    async fn open(&self, session: &NewSession, _: &Lifetimes, cap: Option<u64>) -> Result<Opening, StoreError> {
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
            origin: session.origin.clone(),
        };
        let entry = Entry {
            record,
            handshake: session.handshake.clone(),
            last_seen: now,
            data: HashMap::new(),
            log: Log::default(),
            wire: Wire::default(),
            retry: None,
            inner: Inner::first(session.inner.clone()),
        };
        state.farewells.take(&session.key, now);
        state.sessions.insert(session.key, entry);
        state.seen.insert((now, session.key));
        state.born.insert((now, session.key));
        state.unconfirmed.insert((now, session.key));
        self.record_of(&mut state, now, &session.key, Change::Created);
        self.tell(BusMessage::Opened(session.key));
        Ok(Opening::Opened { at: now })
    }

    async fn find(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        Ok(self.state().sessions.get(key).map(|entry| entry.record.clone()))
    }

    async fn blueprint(&self, key: &SessionKey) -> Result<Option<Blueprint>, StoreError> {
        let blueprint = |entry: &Entry| entry.wire.blueprint(entry.handshake.clone(), entry.inner.current());
        Ok(self.state().sessions.get(key).map(blueprint))
    }

    async fn touch(&self, batch: &[Touch], lifetimes: &Lifetimes) -> Result<Touched, StoreError> {
        let now = self.now();
        let mut state = self.state();
        let mut touch = |touch: &Touch| match state.sessions.get(&touch.key) {
            None => TouchOutcome::Gone,
            Some(entry) if now.since(entry.last_seen) >= lifetimes.expires_after => TouchOutcome::Gone,
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

    async fn revive(&self, key: &SessionKey, replica: &str, lifetimes: &Lifetimes) -> Result<Revival, StoreError> {
        let now = self.now();
        let mut state = self.state();
        let Some(entry) = state.sessions.get_mut(key) else { return Ok(Revival::Gone) };
        let gap = now.since(entry.last_seen);
        match entry.record.status {
            SessionStatus::Active => Ok(Revival::AlreadyActive),
            SessionStatus::Disconnected if gap >= lifetimes.expires_after => Ok(Revival::Gone),
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

    async fn reconnect(&self, change: &Reconnection, lifetimes: &Lifetimes) -> Result<Reconnected, StoreError> {
        Ok(self.renew(change, lifetimes))
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

    async fn end(&self, key: &SessionKey, reason: EndReason) -> Result<bool, StoreError> {
        let now = self.now();
        let ended = self.close(&mut self.state(), now, key, reason);
        if ended {
            self.tell(BusMessage::Ended(*key, reason));
        }
        Ok(ended)
    }

    async fn sweep(&self, lifetimes: &Lifetimes, limit: usize) -> Result<Swept, StoreError> {
        let now = self.now();
        let mut state = self.state();
        let mut swept = Swept::default();
        let idle = due(&state.seen, now.before(lifetimes.idle_timeout), limit);
        for (seen, key) in &idle {
            state.place(key, SessionStatus::Disconnected, *seen);
            self.record_of(&mut state, now, key, Change::Disconnected);
            swept.disconnected.push(*key);
        }
        let expired = due(&state.gone, now.before(lifetimes.expires_after), limit);
        let too_old = match lifetimes.max_lifetime {
            Some(lifetime) => due(&state.born, now.before(lifetime), limit),
            None => Vec::new(),
        };
        let abandoned = due(&state.unconfirmed, now.before(lifetimes.handshake_timeout), limit);
        swept.more = [&idle, &expired, &too_old, &abandoned].iter().any(|found| found.len() == limit);
        let expired = expired.into_iter().map(|(_, key)| (key, EndReason::Expired));
        let too_old = too_old.into_iter().map(|(_, key)| (key, EndReason::MaxLifetime));
        let abandoned = abandoned.into_iter().map(|(_, key)| (key, EndReason::Abandoned));
        swept.ended = expired
            .chain(too_old)
            .chain(abandoned)
            .filter(|(key, reason)| self.close(&mut state, now, key, *reason))
            .collect();
        swept.disconnected.iter().for_each(|key| self.tell(BusMessage::Disconnected(*key)));
        swept.ended.iter().for_each(|(key, reason)| self.tell(BusMessage::Ended(*key, *reason)));
        Ok(swept)
    }

    async fn data_get(&self, key: &SessionKey, name: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(self.state().sessions.get(key).and_then(|entry| entry.data.get(name).cloned()))
    }

    async fn data_put(&self, key: &SessionKey, name: &str, value: Bytes, limit: usize) -> Result<DataPut, StoreError> {
        let mut state = self.state();
        let Some(entry) = state.sessions.get_mut(key) else { return Ok(DataPut::Gone) };
        let others = entry.data.iter().filter(|(other, _)| *other != name);
        let size: usize = others.map(|(name, value)| name.len() + value.len()).sum();
        if size + name.len() + value.len() > limit {
            return Ok(DataPut::TooLarge);
        }
        entry.data.insert(name.to_owned(), value);
        Ok(DataPut::Stored)
    }

    async fn data_remove(&self, key: &SessionKey, name: &str) -> Result<bool, StoreError> {
        let mut state = self.state();
        Ok(state.sessions.get_mut(key).is_some_and(|entry| entry.data.remove(name).is_some()))
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
        let lifetimes = Lifetimes {
            idle_timeout: Duration::from_secs(300),
            expires_after: Duration::from_secs(3600),
            max_lifetime: None,
            handshake_timeout: Duration::from_secs(60),
        };
        let session = NewSession { key, digest, origin: origin.clone(), handshake: Bytes::new(), inner: None };
        store.open(&session, &lifetimes, None).await.unwrap();
        let nonce = NonceDigest::of(b"nonce");
        let change = Reconnection { key, generation: 0, digest, origin, handshake: None, inner: None, nonce };
        let again = async || match store.reconnect(&change, &lifetimes).await.unwrap() {
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
