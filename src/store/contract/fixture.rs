//! What the checks are written with.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};

use crate::id::{SessionId, SessionKey};
use crate::lifetimes::OnReturn;
use crate::protocol::version::ProtocolVersion;
use crate::session::{ClientInfo, EndReason, NewSession, SessionOrigin, SessionRecord, SessionStatus, Timestamp};
use crate::store::{
    Adoption, Appended, DataPut, DataRemoved, Ended, EndedBy, Lifetimes, LogLimits, LogSlice, Opening, QuestionName,
    Reconnected, Reconnection, ReplicaId, Revival, Store, StreamName, Swept, Touch, TouchOutcome,
};

pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const MANY: usize = 50;

/// Nothing becomes due while a check runs.
pub(super) fn long() -> Lifetimes {
    Lifetimes {
        idle_timeout: HOUR,
        expires_after: 24 * HOUR,
        max_lifetime: None,
        handshake_timeout: 24 * HOUR,
        on_return: OnReturn::Revive,
    }
}

/// Idle at once, and nothing else.
pub(super) fn idle_at_once() -> Lifetimes {
    Lifetimes { idle_timeout: Duration::ZERO, ..long() }
}

pub(super) const ROOMY: LogLimits = LogLimits { messages: 1000, bytes: 1 << 20, ttl: HOUR };

pub(super) fn session() -> NewSession {
    let id = SessionId::generate().expect("the operating system has randomness");
    let origin = SessionOrigin {
        protocol_version: ProtocolVersion::V2025_11_25,
        client: ClientInfo { name: "contract \"quoted\" ü".into(), version: "1.0".into() },
        principal: Some("alice".into()),
        replica: "a-1".into(),
        adopted: None,
        inner_has_sessions: true,
    };
    let handshake = Bytes::from_static(b"{\"method\":\"initialize\"}");
    NewSession { key: id.key(), digest: id.digest(), lifetimes: long(), origin, handshake, inner: None }
}

/// The same without a principal.
pub(super) fn anonymous() -> NewSession {
    let mut session = session();
    session.origin.principal = None;
    session
}

/// Activity of a new session's client, some time ago.
pub(super) fn touch(key: SessionKey, age: Duration) -> Touch {
    Touch { key, generation: 0, age, confirms: false }
}

/// A new holder for a session of that generation, who uses what the old one said at the handshake.
pub(super) fn change(key: SessionKey, generation: u32) -> Reconnection {
    let NewSession { digest, origin, .. } = session();
    let origin = SessionOrigin { replica: "b-2".into(), ..origin };
    Reconnection { key, generation, digest, origin, handshake: None, inner: None, nonce: None }
}

/// Where the checks listen.
pub(super) fn replica() -> ReplicaId {
    ReplicaId::parse("replica-").expect("eight characters")
}

pub(super) fn stream(name: &str) -> StreamName {
    StreamName::parse(name).expect("a name made for a check is fine")
}

/// A store in words that checks like to use; every failure of the store fails the check.
#[derive(Clone)]
pub(super) struct Subject(pub(super) Arc<dyn Store>);

impl Subject {
    pub(super) async fn open(&self) -> SessionKey {
        let session = session();
        self.open_this(&session).await;
        session.key
    }

    pub(super) async fn open_this(&self, session: &NewSession) -> Timestamp {
        match self.0.open(session, None).await.expect("open works") {
            Opening::Opened { at } => at,
            other => panic!("opening a fresh key said {other:?}"),
        }
    }

    pub(super) async fn open_many(&self, count: usize) -> Vec<SessionKey> {
        let mut keys = Vec::new();
        for _ in 0..count {
            keys.push(self.open().await);
        }
        keys.sort();
        keys
    }

    pub(super) async fn find(&self, key: &SessionKey) -> Option<SessionRecord> {
        self.0.find(key).await.expect("find works")
    }

    pub(super) async fn handshake(&self, key: &SessionKey) -> Option<Bytes> {
        self.0.blueprint(key).await.expect("blueprint works").and_then(|blueprint| blueprint.handshake)
    }

    pub(super) async fn status(&self, key: &SessionKey) -> Option<SessionStatus> {
        self.find(key).await.map(|record| record.status)
    }

    pub(super) async fn touch(&self, key: &SessionKey, age: Duration) -> Timestamp {
        self.0.touch(&[touch(*key, age)]).await.expect("touch works").now
    }

    /// The store's clock.
    pub(super) async fn now(&self) -> Timestamp {
        self.0.touch(&[]).await.expect("an empty touch works").now
    }

    /// Lets the store's clock go on.
    pub(super) async fn pass(&self, span: Duration) {
        let start = self.now().await;
        eventually("the store's clock goes on", async || (self.now().await.since(start) >= span).then_some(())).await;
    }

    /// Gives all sessions there are these lifetimes.
    pub(super) async fn give(&self, lifetimes: &Lifetimes) {
        self.0.apply_lifetimes(lifetimes).await.expect("apply_lifetimes works");
    }

    /// Sweeps as if all sessions had these lifetimes; afterwards they have long ones.
    pub(super) async fn sweep(&self, lifetimes: &Lifetimes) -> Swept {
        self.give(lifetimes).await;
        let swept = self.0.sweep(Duration::ZERO, 1000).await.expect("sweep works");
        self.give(&long()).await;
        swept
    }

    /// Touches as if all sessions had these lifetimes; afterwards they have long ones.
    pub(super) async fn touch_as(&self, batch: &[Touch], lifetimes: &Lifetimes) -> Vec<TouchOutcome> {
        self.give(lifetimes).await;
        let touched = self.0.touch(batch).await.expect("touch works");
        self.give(&long()).await;
        touched.outcomes
    }

    /// Makes all active sessions disconnected.
    pub(super) async fn disconnect_all(&self) {
        self.sweep_until_done(&idle_at_once(), 1000).await;
    }

    /// Sweeps as if all sessions had these lifetimes, for as long as more is said to be due; afterwards they have long ones.
    pub(super) async fn sweep_until_done(&self, lifetimes: &Lifetimes, limit: usize) -> Swept {
        self.give(lifetimes).await;
        let swept = self.sweep_on(limit).await;
        self.give(&long()).await;
        swept
    }

    /// Sweeps for as long as more is said to be due.
    pub(super) async fn sweep_on(&self, limit: usize) -> Swept {
        let mut all = Swept::default();
        for _ in 0..1000 {
            let swept = self.0.sweep(Duration::ZERO, limit).await.expect("sweep works");
            all.disconnected.extend(swept.disconnected);
            all.ended.extend(swept.ended);
            if !swept.more {
                return all;
            }
        }
        panic!("sweeping on gets to an end; this one found so far {all:?}");
    }

    pub(super) async fn revive(&self, key: &SessionKey) -> Revival {
        let generation = self.find(key).await.map_or(0, |record| record.generation);
        self.0.revive(key, generation, "b-2").await.expect("revive works")
    }

    pub(super) async fn reconnect(&self, change: &Reconnection) -> Reconnected {
        self.0.reconnect(change).await.expect("reconnect works")
    }

    pub(super) async fn adopt(&self, key: &SessionKey, generation: u32, by: &str) -> Adoption {
        self.0.adopt(key, generation, &by.into()).await.expect("adopt works")
    }

    /// Gives a session its next holder; returns the generation.
    pub(super) async fn hand_over(&self, key: &SessionKey) -> u32 {
        let generation = self.find(key).await.expect("the session lives").generation;
        match self.reconnect(&change(*key, generation)).await {
            Reconnected::Done { generation, .. } => generation,
            other => panic!("reconnecting a live session said {other:?}"),
        }
    }

    /// Ends a session for everybody; whether this call did.
    pub(super) async fn end(&self, key: &SessionKey) -> bool {
        self.0.end(key, EndedBy::Operator, EndReason::ClosedByClient).await.expect("end works") != Ended::Gone
    }

    /// Closes a question of the session's holder.
    pub(super) async fn settle(&self, key: &SessionKey, question: &QuestionName) -> bool {
        let generation = self.find(key).await.map_or(0, |record| record.generation);
        self.0.settle(key, generation, question).await.expect("settle works")
    }

    pub(super) async fn remove(&self, key: &SessionKey, name: &str) -> DataRemoved {
        let generation = self.find(key).await.map_or(0, |record| record.generation);
        self.0.data_remove(key, generation, name).await.expect("data_remove works")
    }

    pub(super) async fn put(&self, key: &SessionKey, name: &str, value: &[u8], limit: usize) -> DataPut {
        let generation = self.find(key).await.map_or(0, |record| record.generation);
        self.0.data_put(key, generation, name, Bytes::copy_from_slice(value), limit).await.expect("data_put works")
    }

    pub(super) async fn get(&self, key: &SessionKey, name: &str) -> Option<Bytes> {
        self.0.data_get(key, name).await.expect("data_get works")
    }

    pub(super) async fn append(&self, key: &SessionKey, to: &str, text: &str, limits: &LogLimits) -> u64 {
        match self.append_all(key, to, &[Bytes::copy_from_slice(text.as_bytes())], limits).await {
            Appended::Stored { last } => last,
            other => panic!("append to a live session said {other:?}"),
        }
    }

    pub(super) async fn append_all(
        &self,
        key: &SessionKey,
        to: &str,
        messages: &[Bytes],
        limits: &LogLimits,
    ) -> Appended {
        self.0.append(key, 0, &stream(to), messages, limits).await.expect("append works")
    }

    pub(super) async fn read(&self, key: &SessionKey, from: &str, after: u64) -> LogSlice {
        self.0.read(key, &stream(from), after, 10_000).await.expect("read works")
    }

    /// The texts of a stream from its beginning, and whether there is a gap before them.
    pub(super) async fn texts(&self, key: &SessionKey, from: &str) -> (Vec<String>, bool) {
        let slice = self.read(key, from, 0).await;
        let text = |(_, message): &(u64, Bytes)| String::from_utf8_lossy(message).into_owned();
        (slice.messages.iter().map(text).collect(), slice.gap)
    }
}

/// Runs the same thing many times at once, on all threads there are.
pub(super) async fn at_once<T, F>(count: usize, run: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = (0..count).map(|i| tokio::spawn(run(i))).collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.expect("a concurrent call does not panic"));
    }
    results
}

/// Waits until something is there.
pub(super) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
