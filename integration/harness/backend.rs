//! Where the sessions of a test live: each test runs on every [`Backend`].
//!
//! Whatever the backend, a test sees a [`SharedStore`]: it counts what the layer asks of it, keeps what the sweeps of all
//! replicas found, and fails when told to.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::future::ready;
use futures::stream::{self, BoxStream};
use tokio::sync::watch;
use tower_mcp_sessions::store::{
    Adoption, AgeLimits, Appended, Asked, Blueprint, Bus, BusSignal, Census, DataPut, DataRemoved, Ended, EndedBy,
    EventHead, EventLog, EventSignal, EventSlice, Fact, Heard, Inbox, InnerReplaced, Letters, Lifetimes, Limiter,
    ListenCursor, Listening, LogLimits, LogSlice, MemoryStore, Opening, Place, Posted, Presence, QuestionName, Rate,
    Reconnected, Reconnection, RedisStore, RedisStoreBuilder, Refusal, ReplicaId, Revival, SessionStore, Shaped,
    Shaping, Store, StoreError, StoreErrorKind, StreamLog, StreamName, Survey, Swept, Taken, Touch, Touched, Vitals,
    WindowName,
};
use tower_mcp_sessions::{
    ClientInfo, EndReason, NewSession, Principal, SessionKey, SessionRecord, SessionStatus, SessionView, Timestamp,
};

use super::failing::Failures;
use super::redis::RedisServer;

/// A kind of store.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Backend {
    Memory,
    Redis,
    /// Redis, the sessions spread as over a Cluster.
    ShardedRedis,
}

impl Backend {
    /// An empty store. Its clones share their sessions: give one to each replica.
    pub(crate) async fn store(self) -> SharedStore {
        match self {
            Self::Memory => SharedStore::new(Arc::new(MemoryStore::new()), None),
            Self::Redis => in_redis(|store| store.response_timeout(PATIENCE)).await,
            Self::ShardedRedis => in_redis(|store| store.shards(16).response_timeout(PATIENCE)).await,
        }
    }
}

/// How long a Redis may take to answer: no requirement, but long enough for a machine on which many tests run at once. Who
/// finds it too slow goes on without it, and counts by himself.
const PATIENCE: Duration = Duration::from_secs(5);

/// A store in a private Redis, with these options.
pub(crate) async fn in_redis(options: impl FnOnce(RedisStoreBuilder) -> RedisStoreBuilder) -> SharedStore {
    let server = RedisServer::start();
    let store = options(RedisStore::builder(server.url())).connect().await.expect("the private Redis answers");
    SharedStore::new(Arc::new(store), Some(server))
}

impl SharedStore {
    /// An empty store for tests that keep the machine busy: Redis may take its time.
    pub(crate) async fn patient(backend: Backend) -> Self {
        let shards = match backend {
            Backend::Memory => return backend.store().await,
            Backend::Redis => 1,
            Backend::ShardedRedis => 16,
        };
        let (server, patience) = (RedisServer::start(), Duration::from_secs(10));
        let store = RedisStore::builder(server.url()).shards(shards).response_timeout(patience).connect().await;
        Self::new(Arc::new(store.expect("the private Redis answers")), Some(server))
    }

    /// A store of its own in a Redis that is there, as another process has it.
    pub(crate) async fn in_the_same(server: &RedisServer) -> Self {
        let store = RedisStore::connect(&server.url()).await.expect("the private Redis answers");
        Self::new(Arc::new(store), None)
    }
}

/// Makes a test of each scenario, an `async fn(Backend)`, for each backend.
macro_rules! on_every_backend {
    ($($scenario:ident),+ $(,)?) => {
        mod memory {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $scenario() {
                    super::$scenario(crate::harness::backend::Backend::Memory).await;
                }
            )+
        }

        mod redis {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $scenario() {
                    super::$scenario(crate::harness::backend::Backend::Redis).await;
                }
            )+
        }
    };
}

pub(crate) use on_every_backend;

/// A store under observation.
#[derive(Clone)]
pub(crate) struct SharedStore {
    store: Arc<dyn Store>,
    ledger: Arc<Ledger>,
    /// Runs as long as somebody holds the store.
    server: Option<Arc<RedisServer>>,
}

#[derive(Default)]
struct Ledger {
    commands: AtomicU64,
    down: AtomicBool,
    bus_is_silent: AtomicBool,
    bus_is_down: AtomicBool,
    events_are_shaken: AtomicBool,
    disconnected: Mutex<Vec<SessionKey>>,
    ended: Mutex<Vec<(SessionKey, EndReason)>>,
    departures: AtomicU64,
    /// Sessions change hands only while this is false.
    hands_are_tied: watch::Sender<bool>,
    /// What is done in a holder's name, once judged, reaches the store only while this is false.
    deeds_are_held: watch::Sender<bool>,
    waiting: AtomicU64,
    /// By how many milliseconds the clock has gone back.
    clock_went_back: AtomicU64,
    failures: Failures,
    settled: AtomicU64,
}

impl SharedStore {
    fn new(store: Arc<dyn Store>, server: Option<RedisServer>) -> Self {
        Self { store, ledger: Arc::default(), server: server.map(Arc::new) }
    }

    /// The Redis it is, if it is one.
    pub(crate) fn redis(&self) -> Option<&RedisServer> {
        self.server.as_deref()
    }

    /// How often requests made the layer ask the store. Its flushes and sweeps in the background are not
    /// counted.
    pub(crate) fn commands(&self) -> u64 {
        self.ledger.commands.load(Ordering::SeqCst)
    }

    /// Makes every operation fail, or work again.
    pub(crate) fn set_down(&self, down: bool) {
        self.ledger.down.store(down, Ordering::SeqCst);
    }

    /// Lets one operation fail so many times from now on: its method's name is one of those that ask for it below.
    pub(crate) fn fail(&self, operation: &'static str, times: u64) {
        self.ledger.failures.arrange(operation, times);
    }

    /// How many of those failures are still to come.
    pub(crate) fn failures_left(&self, operation: &'static str) -> u64 {
        self.ledger.failures.left(operation)
    }

    /// How many questions were closed by whoever asked, or had them answered itself.
    pub(crate) fn settled(&self) -> u64 {
        self.ledger.settled.load(Ordering::SeqCst)
    }

    /// From now on it tells another time, as after a failover to a server whose clock is behind.
    pub(crate) fn turn_clock_back(&self, by: Duration) {
        self.ledger.clock_went_back.store(u64::try_from(by.as_millis()).expect("milliseconds"), Ordering::SeqCst);
    }

    fn told(&self, now: Timestamp) -> Timestamp {
        Timestamp(now.0 - self.ledger.clock_went_back.load(Ordering::SeqCst))
    }

    /// From now on the bus loses every message, and nobody notices.
    pub(crate) fn silence_bus(&self) {
        self.ledger.bus_is_silent.store(true, Ordering::SeqCst);
    }

    /// From now on, whoever listens to events misses some, hears some twice, and some in another order.
    pub(crate) fn shake_events(&self) {
        self.ledger.events_are_shaken.store(true, Ordering::SeqCst);
    }

    /// From now on nobody can begin to listen to the bus.
    pub(crate) fn take_bus_down(&self) {
        self.ledger.bus_is_down.store(true, Ordering::SeqCst);
    }

    /// From now on changes of a session's holder wait, or go on.
    pub(crate) fn tie_hands(&self, tied: bool) {
        self.ledger.hands_are_tied.send_replace(tied);
    }

    /// From now on what holders do waits on its way to the store, or goes on: ending, reviving, writing data, closing a question.
    pub(crate) fn hold_deeds(&self, held: bool) {
        self.ledger.deeds_are_held.send_replace(held);
    }

    async fn deed(&self) -> Result<&dyn Store, StoreError> {
        let store = self.asked()?;
        if *self.ledger.deeds_are_held.borrow() {
            self.ledger.waiting.fetch_add(1, Ordering::SeqCst);
            let _ = self.ledger.deeds_are_held.subscribe().wait_for(|held| !held).await;
        }
        Ok(store)
    }

    /// How many changes of holder, and deeds of holders, have waited or wait.
    pub(crate) fn waited(&self) -> u64 {
        self.ledger.waiting.load(Ordering::SeqCst)
    }

    /// Sessions that any replica's sweep found idle.
    pub(crate) fn disconnected(&self) -> Vec<SessionKey> {
        self.ledger.disconnected.lock().unwrap().clone()
    }

    /// Sessions that were ended, by whichever replica and for whatever reason.
    pub(crate) fn ended(&self) -> Vec<(SessionKey, EndReason)> {
        self.ledger.ended.lock().unwrap().clone()
    }

    /// How many listeners have left, as far as the replicas have noticed.
    pub(crate) fn departures(&self) -> u64 {
        self.ledger.departures.load(Ordering::SeqCst)
    }

    /// Active and disconnected sessions.
    pub(crate) async fn counts(&self) -> (u64, u64) {
        let census = self.store.census().await.expect("the store answers the test itself");
        (census.active, census.disconnected)
    }

    /// The store, unless it is down; the command is counted.
    fn asked(&self) -> Result<&dyn Store, StoreError> {
        self.ledger.commands.fetch_add(1, Ordering::SeqCst);
        self.reached()
    }

    /// The same for an operation that may be told to fail alone.
    fn asked_to(&self, operation: &'static str) -> Result<&dyn Store, StoreError> {
        self.ledger.failures.strike(operation)?;
        self.asked()
    }

    fn reached_to(&self, operation: &'static str) -> Result<&dyn Store, StoreError> {
        self.ledger.failures.strike(operation)?;
        self.reached()
    }

    fn reached(&self) -> Result<&dyn Store, StoreError> {
        match self.ledger.down.load(Ordering::SeqCst) {
            true => Err(StoreErrorKind::Unavailable.into()),
            false => Ok(&*self.store),
        }
    }
}

#[async_trait]
impl SessionStore for SharedStore {
    async fn open(&self, session: &NewSession, cap: Option<u64>) -> Result<Opening, StoreError> {
        self.asked()?.open(session, cap).await
    }

    async fn find(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        self.asked_to("find")?.find(key).await
    }

    async fn blueprint(&self, key: &SessionKey) -> Result<Option<Blueprint>, StoreError> {
        self.asked_to("blueprint")?.blueprint(key).await
    }

    async fn touch(&self, batch: &[Touch]) -> Result<Touched, StoreError> {
        let Touched { now, outcomes } = self.reached()?.touch(batch).await?;
        Ok(Touched { now: self.told(now), outcomes })
    }

    async fn revive(&self, key: &SessionKey, generation: u32, replica: &str) -> Result<Revival, StoreError> {
        self.deed().await?.revive(key, generation, replica).await
    }

    async fn reconnect(&self, change: &Reconnection) -> Result<Reconnected, StoreError> {
        let store = self.asked()?;
        if *self.ledger.hands_are_tied.borrow() {
            self.ledger.waiting.fetch_add(1, Ordering::SeqCst);
            let _ = self.ledger.hands_are_tied.subscribe().wait_for(|tied| !tied).await;
        }
        store.reconnect(change).await
    }

    async fn adopt(&self, key: &SessionKey, generation: u32, principal: &Principal) -> Result<Adoption, StoreError> {
        self.asked()?.adopt(key, generation, principal).await
    }

    async fn replace_inner(
        &self,
        key: &SessionKey,
        generation: u32,
        expected: Option<u64>,
        sealed: Bytes,
    ) -> Result<InnerReplaced, StoreError> {
        self.asked()?.replace_inner(key, generation, expected, sealed).await
    }

    async fn take_inner(&self, key: &SessionKey) -> Result<Option<Bytes>, StoreError> {
        self.asked()?.take_inner(key).await
    }

    async fn end(&self, key: &SessionKey, by: EndedBy, reason: EndReason) -> Result<Ended, StoreError> {
        let ended = self.deed().await?.end(key, by, reason).await?;
        if let Ended::Done { .. } = ended {
            self.ledger.ended.lock().unwrap().push((*key, reason));
        }
        Ok(ended)
    }

    async fn sweep(&self, grace: Duration, limit: usize) -> Result<Swept, StoreError> {
        let swept = self.reached()?.sweep(grace, limit).await?;
        self.ledger.disconnected.lock().unwrap().extend(&swept.disconnected);
        self.ledger.ended.lock().unwrap().extend(&swept.ended);
        Ok(swept)
    }

    async fn apply_lifetimes(&self, lifetimes: &Lifetimes) -> Result<u64, StoreError> {
        self.asked()?.apply_lifetimes(lifetimes).await
    }

    async fn announce_lifetimes(&self, lifetimes: &Lifetimes) -> Result<Option<Lifetimes>, StoreError> {
        self.reached()?.announce_lifetimes(lifetimes).await
    }

    async fn data_get(&self, key: &SessionKey, name: &str) -> Result<Option<Bytes>, StoreError> {
        self.asked()?.data_get(key, name).await
    }

    async fn data_put(
        &self,
        key: &SessionKey,
        generation: u32,
        name: &str,
        value: Bytes,
        limit: usize,
    ) -> Result<DataPut, StoreError> {
        self.deed().await?.data_put(key, generation, name, value, limit).await
    }

    async fn data_remove(&self, key: &SessionKey, generation: u32, name: &str) -> Result<DataRemoved, StoreError> {
        self.deed().await?.data_remove(key, generation, name).await
    }

    async fn census(&self) -> Result<Census, StoreError> {
        self.reached()?.census().await
    }
}

#[async_trait]
impl StreamLog for SharedStore {
    async fn begin(
        &self,
        key: &SessionKey,
        generation: u32,
        stream: &StreamName,
        about: &[u8],
    ) -> Result<Appended, StoreError> {
        self.asked()?.begin(key, generation, stream, about).await
    }

    async fn append(
        &self,
        key: &SessionKey,
        generation: u32,
        stream: &StreamName,
        messages: &[Bytes],
        limits: &LogLimits,
    ) -> Result<Appended, StoreError> {
        self.asked_to("append")?.append(key, generation, stream, messages, limits).await
    }

    async fn finish(
        &self,
        key: &SessionKey,
        generation: u32,
        stream: &StreamName,
        messages: &[Bytes],
        limits: &LogLimits,
    ) -> Result<Appended, StoreError> {
        self.asked_to("finish")?.finish(key, generation, stream, messages, limits).await
    }

    async fn read(
        &self,
        key: &SessionKey,
        stream: &StreamName,
        after: u64,
        max: usize,
    ) -> Result<LogSlice, StoreError> {
        self.asked()?.read(key, stream, after, max).await
    }

    async fn listen(
        &self,
        key: &SessionKey,
        generation: u32,
        replica: &ReplicaId,
        cursor: Option<ListenCursor>,
    ) -> Result<Listening, StoreError> {
        self.asked()?.listen(key, generation, replica, cursor).await
    }

    async fn hear(&self, key: &SessionKey, listener: u64, after: u64, max: usize) -> Result<Heard, StoreError> {
        self.asked()?.hear(key, listener, after, max).await
    }

    async fn leave(&self, key: &SessionKey, listener: u64, after: u64) -> Result<(), StoreError> {
        self.asked()?.leave(key, listener, after).await?;
        self.ledger.departures.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[async_trait]
impl Inbox for SharedStore {
    async fn ask(
        &self,
        key: &SessionKey,
        generation: u32,
        question: &QuestionName,
        most: usize,
    ) -> Result<Asked, StoreError> {
        self.asked()?.ask(key, generation, question, most).await
    }

    async fn settle(&self, key: &SessionKey, generation: u32, question: &QuestionName) -> Result<bool, StoreError> {
        self.asked_to("settle")?;
        let settled = self.deed().await?.settle(key, generation, question).await?;
        self.ledger.settled.fetch_add(u64::from(settled), Ordering::SeqCst);
        Ok(settled)
    }

    async fn post(
        &self,
        key: &SessionKey,
        generation: u32,
        letter: &Bytes,
        answers: Option<&QuestionName>,
        limits: &LogLimits,
    ) -> Result<Posted, StoreError> {
        self.asked()?.post(key, generation, letter, answers, limits).await
    }

    async fn shape(
        &self,
        key: &SessionKey,
        generation: u32,
        shaping: &Shaping,
        most: usize,
        limits: &LogLimits,
    ) -> Result<Shaped, StoreError> {
        self.asked()?.shape(key, generation, shaping, most, limits).await
    }

    async fn letters(&self, key: &SessionKey, after: u64, max: usize) -> Result<Letters, StoreError> {
        self.asked_to("letters")?.letters(key, after, max).await
    }
}

#[async_trait]
impl Presence for SharedStore {
    async fn announce(&self, replica: &ReplicaId, ttl: Duration) -> Result<(), StoreError> {
        self.reached()?.announce(replica, ttl).await
    }

    async fn withdraw(&self, replica: &ReplicaId) -> Result<(), StoreError> {
        self.reached()?.withdraw(replica).await
    }

    async fn is_present(&self, replica: &ReplicaId) -> Result<bool, StoreError> {
        self.reached()?.is_present(replica).await
    }

    async fn declare(&self, facts: &[Fact], ttl: Duration) -> Result<Vec<Option<String>>, StoreError> {
        self.reached()?.declare(facts, ttl).await
    }
}

#[async_trait]
impl Limiter for SharedStore {
    async fn take(&self, window: &WindowName, rate: &Rate) -> Result<Taken, StoreError> {
        let Taken { now, retry_after } = self.asked()?.take(window, rate).await?;
        Ok(Taken { now: self.told(now), retry_after })
    }
}

#[async_trait]
impl EventLog for SharedStore {
    async fn event_heads(&self) -> Result<Vec<EventHead>, StoreError> {
        self.reached()?.event_heads().await
    }

    fn event_part(&self, key: &SessionKey) -> usize {
        self.store.event_part(key)
    }

    async fn events(&self, part: usize, after: u64, max: usize) -> Result<EventSlice, StoreError> {
        self.reached()?.events(part, after, max).await
    }

    async fn record_refusal(&self, refusal: &Refusal) -> Result<(), StoreError> {
        self.reached()?.record_refusal(refusal).await
    }

    async fn renew_epoch(&self, part: usize, known: &EventHead) -> Result<EventHead, StoreError> {
        self.reached()?.renew_epoch(part, known).await
    }

    async fn hear_events(&self) -> Result<BoxStream<'static, EventSignal>, StoreError> {
        if self.ledger.bus_is_down.load(Ordering::SeqCst) {
            return Err(StoreErrorKind::Unavailable.into());
        }
        let signals = self.reached()?.hear_events().await?;
        let ledger = Arc::clone(&self.ledger);
        let signals = signals.filter(move |_| ready(!ledger.bus_is_silent.load(Ordering::SeqCst)));
        let ledger = Arc::clone(&self.ledger);
        let (mut heard, mut held) = (0_u32, None);
        let shaken = signals.flat_map(move |signal| {
            heard += 1;
            let told = match heard % 5 {
                _ if !ledger.events_are_shaken.load(Ordering::SeqCst) => vec![signal],
                0 => Vec::new(),
                1 => vec![signal.clone(), signal],
                2 => {
                    held = Some(signal);
                    Vec::new()
                }
                _ => [Some(signal), held.take()].into_iter().flatten().collect(),
            };
            stream::iter(told)
        });
        Ok(shaken.boxed())
    }
}

#[async_trait]
impl Survey for SharedStore {
    async fn vitals(&self, ages: &AgeLimits) -> Result<Vitals, StoreError> {
        self.reached()?.vitals(ages).await
    }

    async fn view(&self, key: &SessionKey) -> Result<Option<SessionView>, StoreError> {
        self.reached()?.view(key).await
    }

    async fn page(
        &self,
        status: Option<SessionStatus>,
        from: Option<&Place>,
        max: usize,
    ) -> Result<Vec<SessionView>, StoreError> {
        self.reached_to("page")?.page(status, from, max).await
    }

    async fn count_modern(&self, client: &ClientInfo, requests: u64) -> Result<(), StoreError> {
        self.reached()?.count_modern(client, requests).await
    }
}

#[async_trait]
impl Bus for SharedStore {
    async fn subscribe(&self) -> Result<BoxStream<'static, BusSignal>, StoreError> {
        if self.ledger.bus_is_down.load(Ordering::SeqCst) {
            return Err(StoreErrorKind::Unavailable.into());
        }
        let signals = self.reached()?.subscribe().await?;
        let ledger = Arc::clone(&self.ledger);
        Ok(signals.filter(move |_| ready(!ledger.bus_is_silent.load(Ordering::SeqCst))).boxed())
    }
}
