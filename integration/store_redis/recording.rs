//! The event log and the counters in Redis: they are bounded, and what was lost is found out.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::time::timeout;
use tower_mcp_sessions::store::{
    AgeLimits, EndedBy, EventHead, EventLog, EventSignal, Lifetimes, RedisStore, Refusal, SessionStore, StoreErrorKind,
    Survey,
};
use tower_mcp_sessions::{Change, ClientInfo, EndReason, NewSession, ReconnectDoor, ReconnectOutcome, SessionOrigin};

use super::fixture::{LIFETIMES, kind, opened, opened_for, patient, seen, session, sweep_as};
use crate::harness::eventually::found_within;
use crate::harness::redis::RedisServer;

const REFUSAL: Refusal = Refusal { session: None, outcome: ReconnectOutcome::RateLimited, door: ReconnectDoor::Api };

async fn head(store: &RedisStore) -> EventHead {
    store.event_heads().await.unwrap().remove(0)
}

/// Waits until the store works again.
async fn head_again(store: &RedisStore) -> EventHead {
    let head = found_within("the log can be read again", Duration::from_secs(10), async || {
        store.event_heads().await.ok().map(|mut heads| heads.remove(0))
    });
    head.await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_comes_back_from_the_past_begins_another_epoch() {
    let mut server = RedisServer::start();
    let store = RedisStore::connect(server.url()).await.unwrap();
    for _ in 0..10 {
        store.record_refusal(&REFUSAL).await.unwrap();
    }
    assert_eq!(server.cli(&["SAVE"]), "OK");
    let saved = head(&store).await;
    for _ in 0..5 {
        opened(&store).await;
    }
    let known = head(&store).await;
    assert_eq!((known.offset, &known.epoch), (15, &saved.epoch));
    server.restart();

    // One that was not there before knows nothing; it takes the word of one that was.
    let newcomer = patient(server.url()).connect().await.unwrap();
    assert_eq!(head(&newcomer).await, saved, "the log is in the past");
    let renewed = newcomer.renew_epoch(0, &known).await.unwrap();
    assert_ne!(renewed.epoch, saved.epoch, "a log that ends before what is known of it begins another epoch");
    for late in [&known, &saved] {
        assert_eq!(newcomer.renew_epoch(0, late).await.unwrap(), renewed, "and only one");
    }
    for _ in 0..10 {
        opened(&newcomer).await;
    }
    let slice =
        found_within("the log can be read", Duration::from_secs(10), async || store.events(0, 15, 100).await.ok());
    assert_ne!(slice.await.head.epoch, known.epoch, "nobody takes these events for what followed those that are lost");
}

/// The window between a restart and the first look of somebody who was there before: others go on recording.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_overwritten_meanwhile_is_found_out_too() {
    for watches in [false, true] {
        let mut server = RedisServer::start();
        let store = RedisStore::connect(server.url()).await.unwrap();
        let mut signals = store.hear_events().await.unwrap();
        opened(&store).await;
        assert_eq!(server.cli(&["SAVE"]), "OK");
        let before = head(&store).await;
        for _ in 0..5 {
            opened(&store).await;
        }
        if watches {
            hears(&mut signals, 6).await;
        } else {
            assert_eq!(head(&store).await.offset, 6);
        }
        server.restart();
        let newcomer = patient(server.url()).connect().await.unwrap();
        for _ in 0..20 {
            opened(&newcomer).await;
        }
        assert_eq!(head(&newcomer).await, EventHead { offset: 21, ..before.clone() }, "nobody could tell by the end");
        let found = head_again(&store).await;
        assert_ne!(found.epoch, before.epoch, "another entry stands where the known one was: another epoch");
        assert_eq!(head(&newcomer).await, found, "for everybody");
    }
}

async fn hears(signals: &mut BoxStream<'static, EventSignal>, offset: u64) {
    loop {
        let signal = timeout(Duration::from_secs(5), signals.next()).await.unwrap();
        if matches!(signal, Some(EventSignal::Event { event, .. }) if event.offset == offset) {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_goes_on_keeps_its_epoch_whatever_happens_to_the_server() {
    let mut server = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let store = RedisStore::connect(server.url()).await.unwrap();
    let mut signals = store.hear_events().await.unwrap();
    opened(&store).await;
    let before = head(&store).await;
    hears(&mut signals, 1).await;
    server.restart();
    assert_eq!(head_again(&store).await, before);
    let mut gaps = 0;
    while gaps < 2 {
        let signal = timeout(Duration::from_secs(5), signals.next()).await.unwrap();
        assert_eq!(signal, Some(EventSignal::Gap), "a loss and its end are reasons to look");
        gaps += 1;
    }
    server.cli(&["SCRIPT", "FLUSH"]);
    opened(&store).await;
    hears(&mut signals, 2).await;
    assert_eq!(head(&store).await, EventHead { offset: 2, ..before });
}

#[tokio::test]
async fn a_log_that_is_gone_is_a_gap_and_a_store_that_is_empty_another_epoch() {
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    for _ in 0..3 {
        opened(&store).await;
    }
    let before = head(&store).await;
    server.cli(&["DEL", "mcp:{00}:ev"]);
    let slice = store.events(0, 1, 10).await.unwrap();
    assert_eq!((&slice.head, slice.gap, slice.events.len()), (&before, true, 0));
    assert!(!store.events(0, 3, 10).await.unwrap().gap, "who has read all of it misses nothing");
    opened(&store).await;
    assert!(store.events(0, 2, 10).await.unwrap().gap);
    let slice = store.events(0, 3, 10).await.unwrap();
    assert_eq!((slice.head.offset, slice.gap, slice.events.len()), (4, false, 1));
    server.cli(&["DEL", "mcp:{00}:em"]);
    let slice = store.events(0, 4, 10).await.unwrap();
    assert_ne!(slice.head.epoch, before.epoch);
    assert_eq!((slice.head.offset, slice.events.len()), (0, 0), "what nobody can place is not kept");
    opened(&store).await;
    assert_eq!(head(&store).await.offset, 1);
}

#[tokio::test]
async fn what_happened_is_bounded() {
    let server = RedisServer::start();
    let store = patient(server.url()).shards(16).connect().await.unwrap();
    for _ in 0..3000 {
        store.record_refusal(&REFUSAL).await.unwrap();
    }
    let entries: u64 = server.cli(&["XLEN", "mcp:{00}:ev"]).parse().unwrap();
    assert!((1000..1200).contains(&entries), "{entries} events are kept by one of 16 shards");

    let newest: u64 = server.cli(&["HGET", "mcp:{00}:ec", "#"]).parse().unwrap();
    server.cli(&["HSET", "mcp:{00}:ec", "#", &(newest - 100).to_string()]);
    for (age, letter) in [(388, "o"), (388, "h"), (300, "d"), (289, "e"), (288, "o"), (287, "o"), (1, "m")] {
        server.cli(&["HSET", "mcp:{00}:ec", &format!("{}{letter}", newest - age), "7"]);
    }
    store.record_refusal(&REFUSAL).await.unwrap();
    let fields = server.cli(&["HKEYS", "mcp:{00}:ec"]);
    let kept = [format!("{}o", newest - 288), format!("{}o", newest - 287), format!("{}m", newest - 1)];
    for field in &kept {
        assert!(fields.lines().any(|line| line == field), "{field} is of this day: {fields}");
    }
    assert_eq!(fields.lines().count(), kept.len() + 2, "what is older than a day goes: {fields}");
    let vitals = store.vitals(&AgeLimits::default()).await.unwrap();
    assert_eq!((vitals.history[0].opened, vitals.history[286].modern, vitals.history[287].refused), (7, 7, 3001));

    server.cli(&["HSET", "mcp:{00}:ec", "#", &(newest + 1000).to_string()]);
    store.record_refusal(&REFUSAL).await.unwrap();
    assert_eq!(server.cli(&["HLEN", "mcp:{00}:ec"]), "2", "a clock that was a day wrong leaves nothing behind");
}

#[tokio::test]
async fn clients_are_told_apart_up_to_a_limit() {
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    let mut keys = Vec::new();
    for i in 0..300 {
        let NewSession { origin, .. } = session();
        let client = ClientInfo { name: format!("client {i}"), version: "1".into() };
        let given = NewSession { origin: SessionOrigin { client, ..origin }, ..session() };
        store.open(&given, None).await.unwrap();
        keys.push(given.key);
    }
    let fields: u64 = server.cli(&["HLEN", "mcp:{00}:cl"]).parse().unwrap();
    assert_eq!(fields, 201, "200 clients, and one field for all others");
    assert_eq!(server.cli(&["HGET", "mcp:{00}:cl", "others"]), "100");
    assert_eq!(store.vitals(&AgeLimits::default()).await.unwrap().clients.len(), 50);
    for key in &keys {
        store.end(key, EndedBy::Operator, EndReason::Terminated).await.unwrap();
    }
    assert_eq!(server.cli(&["EXISTS", "mcp:{00}:cl"]), "0", "and none is left over");
}

#[tokio::test]
async fn sums_that_went_wrong_are_right_again_when_a_shard_was_empty() {
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    let idle = Lifetimes { idle_timeout: Duration::ZERO, ..LIFETIMES };
    let (lost, other) = (opened_for(&store, idle).await, opened(&store).await);
    server.cli(&["DEL", &format!("mcp:{{00}}:s:{lost}")]);
    server.cli(&["HINCRBY", "mcp:{00}:em", "lived", "-5000"]);
    sweep_as(&store, &Lifetimes { idle_timeout: Duration::ZERO, ..LIFETIMES }, 10).await;
    let vitals = store.vitals(&AgeLimits::default()).await.unwrap();
    assert_eq!(
        (vitals.disconnected, vitals.lived, vitals.clients[0].sessions),
        (1, Duration::ZERO, 2),
        "nobody knows better"
    );
    store.end(&other, EndedBy::Operator, EndReason::Terminated).await.unwrap();
    store.touch(&[seen(opened(&store).await)]).await.unwrap();
    let vitals = store.vitals(&AgeLimits::default()).await.unwrap();
    assert_eq!((vitals.active, vitals.clients[0].sessions), (1, 1));
    assert!(vitals.lived < Duration::from_secs(1), "{:?}", vitals.lived);
}

#[tokio::test]
async fn a_record_of_a_newer_format_hinders_no_survey() {
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    let (newer, other) = (opened(&store).await, opened(&store).await);
    server.cli_with_bytes(&["SETRANGE", &format!("mcp:{{00}}:s:{newer}"), "0"], &[2]);
    let page = store.page(None, None, 2).await.unwrap();
    assert_eq!(page.iter().map(|view| view.key).collect::<Vec<_>>(), [other]);
    assert_eq!(kind(&store.view(&newer).await), Some(StoreErrorKind::NewerFormat));
    assert_eq!(store.vitals(&AgeLimits::default()).await.unwrap().active, 2);
    store.record_refusal(&Refusal { session: Some(newer), ..REFUSAL }).await.unwrap();
    let last = store.events(0, 2, 10).await.unwrap().events.remove(0);
    assert_eq!(last.change, Change::ReconnectRefused { outcome: REFUSAL.outcome, door: REFUSAL.door });
    assert_eq!(last.session, None, "a session that this version cannot read is not told of");
}

/// What lies in the log and goes over the channel is for everybody who may look: no secret's digest is among it.
#[tokio::test]
async fn no_digest_is_recorded() {
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    let given = session();
    store.open(&given, None).await.unwrap();
    sweep_as(&store, &Lifetimes { idle_timeout: Duration::ZERO, ..LIFETIMES }, 10).await;
    store.revive(&given.key, 0, "b-2").await.unwrap();
    store.end(&given.key, EndedBy::Operator, EndReason::Terminated).await.unwrap();
    let escaped: String = given.digest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let raw = server.cli(&["--no-raw", "EVAL", "local t = '' for _, e in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do t = t .. e[2][2] end return (t:gsub('.', function(c) return string.format('%02x', c:byte()) end))", "1", "mcp:{00}:ev"]);
    assert!(
        raw.len() > 1000 && raw.contains(&"claude-ai".bytes().map(|byte| format!("{byte:02x}")).collect::<String>())
    );
    assert!(!raw.contains(&escaped), "the digest of a secret stands in the log");
}
