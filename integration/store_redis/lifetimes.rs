//! Sessions that a version wrote which knew no lifetimes: their records have none, and no index tells when something is due.

use std::time::Duration;

use tower_mcp_sessions::store::{Lifetimes, RedisStore, SessionStore, Swept};
use tower_mcp_sessions::{OnReturn, SessionKey};

use super::fixture::{LIFETIMES, change, opened, patient, seen};
use crate::harness::redis::RedisServer;

/// Sessions as version 0.1.0 left them, more than one sweep gets at.
const OLD: usize = 1200;

const ZERO: Duration = Duration::ZERO;

fn idle_at_once() -> Lifetimes {
    Lifetimes { idle_timeout: ZERO, on_return: OnReturn::Reject, ..LIFETIMES }
}

/// Opens sessions and takes out of Redis what the old version did not put there.
async fn old_sessions(server: &RedisServer, store: &RedisStore, count: usize) -> Vec<SessionKey> {
    let mut keys = Vec::new();
    for _ in 0..count {
        let key = opened(store).await;
        let forget = "local value = redis.call('GET', KEYS[1]) \
             redis.call('SET', KEYS[1], (value:gsub(',\"l\":\"[^\"]*\"', '', 1)), 'KEEPTTL') \
             return redis.call('ZREM', KEYS[2], ARGV[1])";
        let record = format!("mcp:{{00}}:s:{key}");
        assert_eq!(server.cli(&["EVAL", forget, "2", &record, "mcp:{00}:due", key.as_str()]), "1");
        keys.push(key);
    }
    keys.sort();
    keys
}

async fn lifetimes_of(store: &RedisStore, key: &SessionKey) -> Lifetimes {
    store.find(key).await.unwrap().expect("it lives").lifetimes
}

#[tokio::test]
async fn they_have_those_that_were_announced_first_and_are_found_by_every_sweeper() {
    let server = RedisServer::start();
    let (one, other) = (patient(server.url()).connect().await.unwrap(), patient(server.url()).connect().await.unwrap());
    let keys = old_sessions(&server, &one, OLD).await;
    let mut swept = Swept::default();
    for _ in 0..10 {
        assert_eq!(
            other.sweep(ZERO, 2000).await.unwrap(),
            Swept::default(),
            "before anybody said anything, nobody is due"
        );
    }
    assert_eq!(server.cli(&["ZCARD", "mcp:{00}:due"]), OLD.to_string(), "all are in the index by now");
    assert_eq!(one.announce_lifetimes(&idle_at_once()).await.unwrap(), None);
    assert_eq!(other.announce_lifetimes(&LIFETIMES).await.unwrap(), Some(idle_at_once()));
    for key in &keys[..10] {
        assert_eq!(lifetimes_of(&other, key).await, idle_at_once(), "not those of who asks");
    }
    // Nobody had announced anything when they were looked at; they are looked at again in a minute, or because of this.
    server.cli(&["DEL", "mcp:{00}:due"]);
    while swept.disconnected.len() < OLD {
        let some = other.sweep(ZERO, 2000).await.unwrap();
        assert_eq!(some.ended, []);
        swept.disconnected.extend(some.disconnected);
    }
    swept.disconnected.sort();
    assert_eq!(swept.disconnected, keys, "each once");
    assert_eq!(
        server.cli(&["HGET", "mcp:{00}:em", "unindexed"]),
        "",
        "the index is complete, and nobody looks any more"
    );
}

#[tokio::test]
async fn they_do_not_end_by_the_settings_of_who_sweeps() {
    let server = RedisServer::start();
    let (one, other) = (patient(server.url()).connect().await.unwrap(), patient(server.url()).connect().await.unwrap());
    let keys = old_sessions(&server, &one, 20).await;
    one.announce_lifetimes(&LIFETIMES).await.unwrap();
    let over = Lifetimes { expires_after: ZERO, max_lifetime: Some(ZERO), handshake_timeout: ZERO, ..idle_at_once() };
    assert_eq!(other.announce_lifetimes(&over).await.unwrap(), Some(LIFETIMES));
    for store in [&one, &other, &one] {
        assert_eq!(store.sweep(ZERO, 100).await.unwrap(), Swept::default());
    }
    let touches: Vec<_> = keys.iter().map(|key| seen(*key)).collect();
    other.touch(&touches).await.unwrap();
    other.reconnect(&change(keys[0], 0)).await.unwrap();
    assert_eq!(lifetimes_of(&other, &keys[0]).await, LIFETIMES, "and keep them when they change hands");
    assert_eq!(other.apply_lifetimes(&idle_at_once()).await.unwrap(), 20);
    assert_eq!(lifetimes_of(&one, &keys[1]).await, idle_at_once(), "until they are given others");
    assert_eq!(one.sweep(ZERO, 100).await.unwrap().disconnected.len(), 20);
}

#[tokio::test]
async fn a_version_without_them_can_still_read_what_this_one_writes() {
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    let key = opened(&store).await;
    let record = format!("mcp:{{00}}:s:{key}");
    // What revives a session in version 0.1.0, whose JSON library knows no order.
    let rewrite = "local value = redis.call('GET', KEYS[1]) local origin = cjson.decode(value:sub(47)) origin.r = 'old' \
         return redis.call('SET', KEYS[1], value:sub(1, 46) .. cjson.encode(origin), 'KEEPTTL')";
    assert_eq!(server.cli(&["EVAL", rewrite, "1", &record]), "OK");
    let found = store.find(&key).await.unwrap().expect("it lives");
    assert_eq!((found.lifetimes, &*found.origin.replica), (LIFETIMES, "old"), "it is kept through its hands");
    store.apply_lifetimes(&idle_at_once()).await.unwrap();
    assert_eq!(lifetimes_of(&store, &key).await, idle_at_once(), "wherever it stands in the record");
}
