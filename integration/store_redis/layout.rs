//! What lies in Redis: keys with a TTL, records that other versions can rely on, not much memory.

use std::time::Duration;

use bytes::Bytes;
use tower_mcp_sessions::store::{
    Bus, EndedBy, Lifetimes, LogLimits, Opening, Reconnected, Reconnection, SealedInner, SessionStore, StoreErrorKind,
    StreamLog, Swept, Touch, TouchOutcome,
};
use tower_mcp_sessions::{NewSession, SessionRecord, SessionStatus};

use super::fixture::{
    LIFETIMES, LIMITS, change, kind, opened, opened_for, opened_with_inner, patient, seen, session, stream, sweep_as,
    take, write_to_each_other,
};
use crate::harness::redis::RedisServer;

fn at_once() -> Lifetimes {
    Lifetimes { idle_timeout: Duration::ZERO, ..LIFETIMES }
}

#[tokio::test]
async fn every_key_has_a_ttl_whatever_happened() {
    let server = RedisServer::start();
    let store = patient(server.url()).shards(4).connect().await.unwrap();
    let _listener = store.subscribe().await.unwrap();
    for i in 0..40 {
        let key = if i % 4 < 2 { opened(&store).await } else { opened_with_inner(&store).await };
        let lifetimes = if i % 2 == 0 { LIFETIMES } else { at_once() };
        store.data_put(&key, 0, "name", Bytes::from_static(b"value"), 100).await.unwrap();
        store.append(&key, 0, &stream("a"), &[Bytes::from_static(b"m")], &LIMITS).await.unwrap();
        sweep_as(&store, &lifetimes, 100).await;
        store.touch(&[seen(key)]).await.unwrap();
        store.data_put(&key, 0, "other", Bytes::from_static(b"value"), 100).await.unwrap();
        if i % 3 == 0 {
            store.revive(&key, 0, "b-2").await.unwrap();
            store.data_remove(&key, 0, "name").await.unwrap();
        }
        let window = if i % 4 == 0 { "w" } else { key.as_str() };
        take(&store, window).await.unwrap();
        if i % 2 == 0 {
            let handshake = (i % 4 == 0).then(|| session().handshake);
            let nonce = change(key, 0).nonce.filter(|_| i % 6 != 0);
            for generation in 0..3 {
                let inner = (i % 8 == 0 && generation < 2).then(|| Bytes::from_static(b"inner"));
                let renewed = Reconnection { handshake: handshake.clone(), inner, nonce, ..change(key, generation) };
                store.reconnect(&renewed).await.unwrap();
                if generation < 2 {
                    write_to_each_other(&store, &key, generation + 1).await.unwrap();
                }
            }
        }
        if i % 5 == 0 {
            store.end(&key, EndedBy::Operator, tower_mcp_sessions::EndReason::ClosedByClient).await.unwrap();
        }
    }
    opened(&store).await;
    let keys = server.keys();
    assert!(keys.len() > 100, "the scenario left keys of all kinds: {keys:?}");
    let longest = i64::try_from(LIFETIMES.key_ttl().as_millis()).unwrap();
    for key in &keys {
        let ttl: i64 = server.cli(&["PTTL", key]).parse().unwrap();
        let short = [":l:", ":i:", ":q:"].iter().any(|kind| key.contains(kind));
        let ended = key.contains(":n:") && server.cli(&["EXISTS", &key.replace(":n:", ":s:")]) == "0";
        let farewell = i64::try_from(SealedInner::FAREWELL.as_millis()).unwrap();
        let most = if ended { farewell } else { longest };
        let most = if short { 600_000 } else { most };
        assert!((1..=most).contains(&ttl), "{key} has a ttl of {ttl} ms");
        assert!(key.starts_with("mcp:{0"), "{key} is outside of its shard");
    }
    for kind in ["s:", "h:", "d:", "l:", "m:", "w:", "i:", "n:", "q:", "seen", "gone", "born", "new"] {
        let named = |key: &&String| key.split_once("}:").is_some_and(|(_, name)| name.starts_with(kind));
        assert!(keys.iter().any(|key| named(&key)), "the scenario left no key of the kind {kind}");
    }
}

#[tokio::test]
async fn what_only_sweeps_have_touched_has_a_ttl_too() {
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    for _ in 0..3 {
        opened_for(&store, at_once()).await;
    }
    assert_eq!(store.sweep(Duration::ZERO, 100).await.unwrap().disconnected.len(), 3);
    for name in server.keys() {
        let ttl: i64 = server.cli(&["PTTL", &name]).parse().unwrap();
        assert!(ttl > 0, "{name} has a ttl of {ttl} ms");
    }
    assert_eq!(server.cli(&["ZCARD", "mcp:{00}:gone"]), "3");
}

#[tokio::test]
async fn use_keeps_all_keys_of_a_session_alive() {
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    let key = opened(&store).await;
    store.data_put(&key, 0, "name", Bytes::from_static(b"value"), 100).await.unwrap();
    store.append(&key, 0, &stream("a"), &[Bytes::from_static(b"m")], &LIMITS).await.unwrap();
    store.replace_inner(&key, 0, None, Bytes::from_static(b"inner")).await.unwrap();
    let day = 24 * 3600 * 1000;
    let unconfirmed = opened(&store).await;
    for round in 0..4 {
        for key in server.keys() {
            server.cli(&["PEXPIRE", &key, "100000"]);
        }
        match round {
            0 => drop(store.touch(&[seen(key)]).await.unwrap()),
            1 | 2 => assert!(matches!(
                store.reconnect(&change(key, 0)).await.unwrap(),
                Reconnected::Done { again, .. } if again == (round == 2)
            )),
            _ => {
                sweep_as(&store, &at_once(), 100).await;
                store.revive(&key, 0, "b-2").await.unwrap();
            }
        }
        for name in server.keys().into_iter().filter(|name| !name.contains(unconfirmed.as_str())) {
            let ttl: i64 = server.cli(&["PTTL", &name]).parse().unwrap();
            let alive = ttl > day || name.contains(":l:") || name.ends_with(":gone") || name.ends_with(":facts");
            assert!(alive, "{name} has a ttl of {ttl} ms after the session was used, round {round}");
        }
    }
}

#[tokio::test]
async fn a_log_that_lay_untouched_leaves_gaps_and_its_positions_are_not_used_again() {
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    let key = opened(&store).await;
    let append = async |name: &str, limits: &LogLimits| {
        store.append(&key, 0, &stream(name), &[Bytes::from_static(b"m")], limits).await.unwrap()
    };
    for name in ["a", "b", "a"] {
        append(name, &LIMITS).await;
    }
    let log = server.keys().into_iter().find(|key| key.contains(":l:")).unwrap();
    server.cli(&["DEL", &log]);
    let gap = async |name: &str, after: u64| store.read(&key, &stream(name), after, 10).await.unwrap().gap;
    for _ in 0..2 {
        assert!(gap("a", 0).await && gap("a", 2).await && gap("b", 1).await, "what was dropped is a gap");
        assert!(!gap("a", 3).await && !gap("b", 2).await && !gap("c", 0).await, "what was read or never was is none");
        let next = append("c", &LIMITS).await;
        assert!(matches!(next, tower_mcp_sessions::store::Appended::Stored { last } if last > 3), "{next:?}");
    }
}

#[tokio::test]
async fn what_a_long_session_remembers_of_its_streams_is_bounded() {
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    let key = opened(&store).await;
    let few = LogLimits { messages: 10, ..LIMITS };
    for i in 0..500 {
        store.append(&key, 0, &stream(&format!("s{i}")), &[Bytes::from_static(b"m")], &few).await.unwrap();
    }
    let meta = server.keys().into_iter().find(|key| key.contains(":m:")).unwrap();
    let rows: usize = server.cli(&["HLEN", &meta]).parse().unwrap();
    assert!(rows < 100, "{rows} rows are kept for 10 messages");
    let read = async |name: &str, after: u64| store.read(&key, &stream(name), after, 10).await.unwrap();
    assert!(read("s0", 1).await.gap, "a cursor of a forgotten stream is in doubt, so there is a gap");
    assert!(!read("s499", 0).await.gap && read("s499", 0).await.messages.len() == 1);
    assert!(!read("new", 0).await.gap, "a new stream lost nothing");
}

#[tokio::test]
async fn a_record_of_a_newer_format_is_left_alone() {
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    let (given, other) = (NewSession { lifetimes: at_once(), ..session() }, opened(&store).await);
    store.open(&given, None).await.unwrap();
    let (key, record) = (given.key, format!("mcp:{{00}}:s:{}", given.key));
    server.cli_with_bytes(&["SETRANGE", &record, "0"], &[2]);
    let before = (server.cli(&["--no-raw", "GET", &record]), server.cli(&["ZSCORE", "mcp:{00}:seen", key.as_str()]));

    let newer = Some(StoreErrorKind::NewerFormat);
    assert_eq!(kind(&store.find(&key).await), newer);
    assert_eq!(kind(&store.revive(&key, 0, "b-2").await), newer);
    assert_eq!(kind(&store.reconnect(&change(key, 0)).await), newer);
    assert_eq!(kind(&store.end(&key, EndedBy::Operator, tower_mcp_sessions::EndReason::Terminated).await), newer);
    assert_eq!(kind(&store.replace_inner(&key, 0, None, Bytes::new()).await), newer);
    assert_eq!(kind(&store.take_inner(&key).await), newer);
    assert_eq!(kind(&store.data_put(&key, 0, "name", Bytes::new(), 100).await), newer);
    assert_eq!(kind(&store.data_remove(&key, 0, "name").await), newer);
    assert_eq!(kind(&store.append(&key, 0, &stream("a"), &[Bytes::new()], &LIMITS).await), newer);
    assert_eq!(kind(&store.read(&key, &stream("a"), 0, 1).await), newer);
    let touches = [key, other].map(seen);
    let touched = store.touch(&touches).await.unwrap();
    assert_eq!(touched.outcomes, [TouchOutcome::Active; 2], "it lives, and does not stand in the others' way");
    let opening = store.open(&given, None).await.unwrap();
    assert_eq!(opening, Opening::KeyTaken);
    let zero = Duration::ZERO;
    let everything = Lifetimes { expires_after: zero, max_lifetime: Some(zero), handshake_timeout: zero, ..at_once() };
    store.apply_lifetimes(&everything).await.unwrap();
    let swept = store.sweep(zero, 1).await.unwrap();
    assert_eq!(swept.disconnected, [other], "a sweep passes over it, and gets at those behind it");
    assert_eq!(store.sweep(zero, 1).await.unwrap(), Swept::default());

    let after = (server.cli(&["--no-raw", "GET", &record]), server.cli(&["ZSCORE", "mcp:{00}:seen", key.as_str()]));
    assert_eq!(after, before, "nothing touched it");
}

#[tokio::test]
async fn the_status_is_patched_in_place() {
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    let key = opened(&store).await;
    let before = store.find(&key).await.unwrap().unwrap();
    sweep_as(&store, &at_once(), 10).await;
    let after = store.find(&key).await.unwrap().unwrap();
    assert_eq!(after.status, SessionStatus::Disconnected);
    assert_eq!(SessionRecord { status: SessionStatus::Active, ..after }, before);
}

#[tokio::test]
async fn unconfirmed_sessions_of_a_newer_format_do_not_hide_the_others() {
    let abandoned = Lifetimes { handshake_timeout: Duration::ZERO, ..LIFETIMES };
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    for _ in 0..5 {
        let record = format!("mcp:{{00}}:s:{}", opened_for(&store, abandoned).await);
        server.cli_with_bytes(&["SETRANGE", &record, "0"], &[2]);
    }
    let other = opened_for(&store, abandoned).await;
    let swept = store.sweep(Duration::ZERO, 2).await.unwrap();
    assert_eq!(swept.ended, [(other, tower_mcp_sessions::EndReason::Abandoned)]);
    assert_eq!(server.cli(&["ZCARD", "mcp:{00}:new"]), "5", "they are left to those who know them");
}

#[tokio::test]
async fn an_index_entry_without_a_session_is_swept_away_in_silence() {
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    let key = opened_for(&store, at_once()).await;
    server.cli(&["DEL", &format!("mcp:{{00}}:s:{key}")]);
    assert_eq!(store.sweep(Duration::ZERO, 10).await.unwrap(), Swept::default());
    assert_eq!(store.census().await.unwrap(), tower_mcp_sessions::store::Census::default());
}

#[tokio::test]
async fn what_is_no_session_keeps_no_session_from_being_swept() {
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    let (cut_short, idle) = (opened_for(&store, at_once()).await, opened_for(&store, at_once()).await);
    server.cli(&["SET", &format!("mcp:{{00}}:s:{cut_short}"), "\u{1}Dcut short", "KEEPTTL"]);
    server.cli(&["ZADD", "mcp:{00}:due", "1", "junk", "2", ""]);
    let mut swept = Swept::default();
    while swept.disconnected.is_empty() {
        swept = store.sweep(Duration::ZERO, 2).await.unwrap();
    }
    assert_eq!((swept.disconnected, swept.ended), (vec![idle], vec![]));
    assert_eq!(server.cli(&["ZCARD", "mcp:{00}:due"]), "2", "what is no key is taken out, what may be a session stays");
    let idle = opened_for(&store, at_once()).await;
    assert_eq!(store.sweep(Duration::ZERO, 2).await.unwrap().disconnected, [idle], "and so it goes on");
}

#[tokio::test]
async fn what_a_session_costs() {
    const SESSIONS: u64 = 5000;
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    let mut keys = Vec::new();
    let empty = server.info("used_memory");
    for _ in 0..SESSIONS {
        keys.push(opened(&store).await);
    }
    let open = server.info("used_memory");
    for key in &keys {
        store.append(key, 0, &stream("s0-1"), &[Bytes::from(vec![b'x'; 200])], &LIMITS).await.unwrap();
    }
    let logged = server.info("used_memory");
    for key in &keys {
        store.data_put(key, 0, "name", Bytes::from_static(b"some short value"), 1000).await.unwrap();
    }
    let with_data = server.info("used_memory");
    let each = |from: u64, to: u64| to.saturating_sub(from) / SESSIONS;
    println!("bytes per session: open {}", each(empty, open));
    println!("  + a log of one message of 200 bytes {}", each(open, logged));
    println!("  + one short value {}", each(logged, with_data));
    for key in &keys {
        store.replace_inner(key, 0, None, Bytes::from(vec![b'x'; 250])).await.unwrap();
    }
    println!("  + an inner session of 250 bytes {}", each(with_data, server.info("used_memory")));
    let with_data = server.info("used_memory");
    let confirmed: Vec<Touch> = keys.iter().map(|key| seen(*key)).collect();
    store.touch(&confirmed).await.unwrap();
    println!("  - once it is confirmed {}", each(server.info("used_memory"), with_data));
    assert!(each(empty, open) < 3000, "a session takes {} bytes", each(empty, open));
}
