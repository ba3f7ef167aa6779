//! Redis forgets, dies, hangs, is demoted or full; the store says what it does not know, and goes on when Redis does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use tokio::time::{sleep, timeout};
use tower_mcp_sessions::store::{
    AgeLimits, Bus, BusMessage, BusSignal, Ended, EndedBy, EventLog, Inbox, InnerReplaced, Presence, QuestionName,
    Reconnected, Reconnection, RedisStore, SessionStore, StoreErrorKind, StreamLog, Survey, TouchOutcome,
};
use tower_mcp_sessions::{ClientInfo, EndReason, SessionKey, SessionStatus};

use super::fixture::{
    LIFETIMES, LIMITS, change, kind, live_once, opened, patient, replica, seen, session, stream, sweep_as, take,
};
use crate::harness::eventually::found_within;
use crate::harness::redis::RedisServer;

/// Every kind of call, with how long it took and what it said.
async fn ask_everything(store: &RedisStore, key: SessionKey) -> Vec<(&'static str, Duration, Option<StoreErrorKind>)> {
    let mut answers = Vec::new();
    macro_rules! ask {
        ($($name:literal => $call:expr,)*) => {
            $(
                let started = Instant::now();
                let result = kind(&$call.await);
                answers.push(($name, started.elapsed(), result));
            )*
        };
    }
    let (touches, client) = ([seen(key)], ClientInfo::default());
    ask! {
        "find" => store.find(&key),
        "blueprint" => store.blueprint(&key),
        "letters" => store.letters(&key, 0, 10),
        "hear" => store.hear(&key, 1, 0, 10),
        "data_get" => store.data_get(&key, "name"),
        "read" => store.read(&key, &stream("a"), 0, 10),
        "touch" => store.touch(&touches),
        "open" => store.open(&session(), None),
        "revive" => store.revive(&key, 0, "b-2"),
        "reconnect" => store.reconnect(&change(key, 0)),
        "replace_inner" => store.replace_inner(&key, 0, None, Bytes::from_static(b"inner")),
        "take_inner" => store.take_inner(&key),
        "take" => take(store, "w"),
        "sweep" => store.sweep(Duration::ZERO, 10),
        "apply_lifetimes" => store.apply_lifetimes(&LIFETIMES),
        "announce_lifetimes" => store.announce_lifetimes(&LIFETIMES),
        "declare" => store.declare(&[], Duration::ZERO),
        "data_put" => store.data_put(&key, 0, "name", Bytes::new(), 100),
        "data_remove" => store.data_remove(&key, 0, "name"),
        "begin" => store.begin(&key, 0, &stream("b"), b"1"),
        "listen" => store.listen(&key, 0, &replica(), None),
        "ask" => store.ask(&key, 0, &QuestionName::parse("q").unwrap(), 10),
        "post" => store.post(&key, 0, &Bytes::from_static(b"letter"), None, &LIMITS),
        "announce" => store.announce(&replica(), Duration::from_secs(1)),
        "append" => store.append(&key, 0, &stream("a"), &[Bytes::new()], &LIMITS),
        "census" => store.census(),
        "events" => store.events(0, 0, 10),
        "vitals" => store.vitals(&AgeLimits::default()),
        "page" => store.page(None, None, 10),
        "count_modern" => store.count_modern(&client, 1),
        "end" => store.end(&key, EndedBy::Operator, EndReason::ClosedByClient),
    }
    answers
}

async fn works_again(store: &RedisStore, within: Duration) {
    let mut last = None;
    let works = async || match live_once(store).await {
        Ok(()) => Some(()),
        Err(error) => {
            last = Some(error);
            None
        }
    };
    let started = Instant::now();
    found_within("the store works again", within, works).await;
    println!("worked again after {:?}; the last error was {last:?}", started.elapsed());
}

/// More than the deadline of 500 ms: what a busy machine adds is not the store's.
const BOUND: Duration = Duration::from_millis(900);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_that_are_flushed_all_the_time_make_no_error() {
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    let (done, lives) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (store, done, lives) = (store.clone(), Arc::clone(&done), Arc::clone(&lives));
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    live_once(&store).await.expect("flushed scripts make no error");
                    lives.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for _ in 0..30 {
        server.cli(&["SCRIPT", "FLUSH"]);
        sleep(Duration::from_millis(100)).await;
    }
    done.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    println!("{} lives through 30 flushes", lives.load(Ordering::Relaxed));
    assert!(lives.load(Ordering::Relaxed) > 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_survive_a_killed_server_that_writes_a_log() {
    let mut server = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let store = RedisStore::connect(server.url()).await.unwrap();
    let mut keys = Vec::new();
    for _ in 0..200 {
        keys.push(opened(&store).await);
    }
    store.append(&keys[0], 0, &stream("a"), &[Bytes::from_static(b"m")], &LIMITS).await.unwrap();
    server.kill();
    for (call, span, said) in ask_everything(&store, keys[0]).await {
        assert_eq!(said, Some(StoreErrorKind::Unavailable), "{call}");
        assert!(span < BOUND, "{call} took {span:?}");
    }
    server.restart();
    works_again(&store, Duration::from_secs(5)).await;
    for key in &keys {
        let record = store.find(key).await.unwrap().expect("no session is lost");
        assert_eq!(record.status, SessionStatus::Active);
    }
    let log = store.read(&keys[0], &stream("a"), 0, 10).await.unwrap();
    assert_eq!(log.messages.len(), 1, "nor a message");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_holds_nobody_up() {
    let server = RedisServer::start();
    let store = RedisStore::connect(server.url()).await.unwrap();
    let key = opened(&store).await;
    server.pause();
    for round in 0..2 {
        for (call, span, said) in ask_everything(&store, key).await {
            assert_eq!(said, Some(StoreErrorKind::Unavailable), "{call} in round {round}");
            assert!(span < BOUND, "{call} took {span:?} in round {round}");
        }
    }
    let crowd: Vec<_> = (0..500)
        .map(|i| {
            let store = store.clone();
            tokio::spawn(async move {
                let started = Instant::now();
                let said = match i % 2 {
                    0 => kind(&store.find(&key).await),
                    _ => kind(&store.touch(&[seen(key)]).await),
                };
                (said, started.elapsed())
            })
        })
        .collect();
    for caller in crowd {
        let (said, span) = caller.await.unwrap();
        assert_eq!(said, Some(StoreErrorKind::Unavailable));
        assert!(span < BOUND, "one of a crowd took {span:?}");
    }
    server.resume();
    works_again(&store, Duration::from_secs(6)).await;
    assert!(server.info("connected_clients") < 30, "connections pile up: {}", server.info("connected_clients"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demoted_primary_is_noticed_and_a_promoted_one_too() {
    let server = RedisServer::start();
    let store = RedisStore::connect(server.url()).await.unwrap();
    let key = opened(&store).await;
    server.cli(&["CONFIG", "SET", "replica-serve-stale-data", "yes"]);
    server.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    let touch = [seen(key)];
    assert_eq!(kind(&store.touch(&touch).await), Some(StoreErrorKind::Refused));
    assert_eq!(kind(&store.find(&key).await), Some(StoreErrorKind::Refused), "no verdict from the past");
    for (call, _, said) in ask_everything(&store, key).await {
        assert_eq!(said, Some(StoreErrorKind::Refused), "{call}");
    }
    server.cli(&["REPLICAOF", "NO", "ONE"]);
    works_again(&store, Duration::from_secs(3)).await;
    assert!(store.find(&key).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_keeps_what_it_has_and_takes_no_more() {
    let server = RedisServer::with(&["--maxmemory-policy", "noeviction"]);
    let store = RedisStore::connect(server.url()).await.unwrap();
    let mut keys = Vec::new();
    for _ in 0..20 {
        keys.push(opened(&store).await);
    }
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = Some(StoreErrorKind::Refused);
    assert_eq!(kind(&store.open(&session(), None).await), refused);
    assert_eq!(kind(&store.data_put(&keys[0], 0, "name", Bytes::from_static(b"v"), 100).await), refused);
    assert_eq!(kind(&store.append(&keys[0], 0, &stream("a"), &[Bytes::new()], &LIMITS).await), refused);

    let touched = store.touch(&[seen(keys[0])]).await.unwrap();
    assert_eq!(touched.outcomes, [TouchOutcome::Active]);
    let idle = tower_mcp_sessions::store::Lifetimes { idle_timeout: Duration::ZERO, ..LIFETIMES };
    assert_eq!(sweep_as(&store, &idle, 100).await.disconnected.len(), 20);
    store.revive(&keys[1], 0, "b-2").await.unwrap();
    assert_eq!(store.find(&keys[1]).await.unwrap().unwrap().status, SessionStatus::Active);
    let renewed = Reconnection { handshake: Some(session().handshake), ..change(keys[3], 0) };
    let reconnected = store.reconnect(&renewed).await.unwrap();
    assert!(matches!(reconnected, Reconnected::Done { generation: 1, .. }), "{reconnected:?}");
    let taken = [(); 4].map(|()| take(&store, "w"));
    let taken = futures::future::try_join_all(taken).await.unwrap();
    let refused_takers = taken.iter().filter(|taken| taken.retry_after.is_some()).count();
    assert_eq!(refused_takers, 1, "limits hold when Redis is full");
    let replaced = store.replace_inner(&keys[4], 0, None, Bytes::from_static(b"inner")).await.unwrap();
    assert_eq!(replaced, InnerReplaced::Replaced { incarnation: 1 }, "what keeps a session going is written");
    assert_eq!(
        store.end(&keys[4], EndedBy::Operator, EndReason::ClosedByClient).await.unwrap(),
        Ended::Done { inner: None }
    );
    assert!(store.take_inner(&keys[4]).await.unwrap().is_some());
    assert_eq!(
        store.end(&keys[2], EndedBy::Operator, EndReason::ClosedByClient).await.unwrap(),
        Ended::Done { inner: None }
    );
    RedisStore::connect(server.url()).await.expect("a replica can start while Redis is full");

    server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    works_again(&store, Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_redis_closes_are_replaced_unnoticed() {
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    for _ in 0..20 {
        server.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
        live_once(&store).await.expect("closed connections make no error");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bus_says_when_it_cannot_hear() {
    let mut server = RedisServer::start();
    let store = RedisStore::connect(server.url()).await.unwrap();
    let mut listener = store.subscribe().await.unwrap();
    let mut next =
        async || timeout(Duration::from_secs(10), listener.next()).await.expect("in time").expect("the bus goes on");
    server.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    assert_eq!((next().await, next().await), (BusSignal::Lost, BusSignal::Restored), "a closed connection");
    server.pause();
    assert_eq!(next().await, BusSignal::Lost, "a silent connection");
    server.resume();
    assert_eq!(next().await, BusSignal::Restored);
    server.kill();
    assert_eq!(next().await, BusSignal::Lost, "a dead server");
    assert_eq!(
        kind(&store.subscribe().await.map(|_| ())),
        Some(StoreErrorKind::Unavailable),
        "nothing can be promised"
    );
    server.restart();
    assert_eq!(next().await, BusSignal::Restored);
    server.cli(&["PUBLISH", "mcp:bus", "from the future"]);
    let key = found_within("the store works again", Duration::from_secs(3), async || {
        let given = session();
        store.open(&given, None).await.ok().map(|_| given.key)
    })
    .await;
    assert_eq!(next().await, BusSignal::Message(BusMessage::Opened(key)));
    drop(store);
    let end = timeout(Duration::from_secs(5), listener.next()).await.expect("the bus ends with its store");
    assert_eq!(end, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_hear_of_each_other() {
    let server = RedisServer::start();
    let one = patient(server.url()).connect().await.unwrap();
    let two = patient(server.url()).connect().await.unwrap();
    let elsewhere = patient(server.url()).prefix("elsewhere").connect().await.unwrap();
    let (mut news, mut other_news) = (two.subscribe().await.unwrap(), elsewhere.subscribe().await.unwrap());
    let key = opened(&one).await;
    let heard = timeout(Duration::from_secs(5), news.next()).await.unwrap();
    assert_eq!(heard, Some(BusSignal::Message(BusMessage::Opened(key))));
    assert!(two.find(&key).await.unwrap().is_some());
    assert!(elsewhere.find(&key).await.unwrap().is_none());
    let own = opened(&elsewhere).await;
    let heard = timeout(Duration::from_secs(5), other_news.next()).await.unwrap();
    assert_eq!(heard, Some(BusSignal::Message(BusMessage::Opened(own))), "deployments do not hear each other");
}
