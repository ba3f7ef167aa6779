//! How the session of a shared inner service lies in Redis.

use bytes::Bytes;
use tower_mcp_sessions::store::{EndedBy, InnerReplaced, Reconnection, RedisStore, SealedInner, SessionStore};
use tower_mcp_sessions::{EndReason, NewSession, SessionKey};

use super::fixture::{change, opened, opened_with_inner, patient, session};
use crate::harness::redis::RedisServer;

fn name_of(key: &SessionKey) -> String {
    format!("mcp:{{00}}:n:{key}")
}

async fn inner_of(store: &RedisStore, key: &SessionKey) -> Option<SealedInner> {
    store.blueprint(key).await.unwrap().unwrap().inner
}

/// What version 0.1.0 wrote. It never changes; a new format gets a test of its own.
#[tokio::test]
async fn golden_bytes_of_an_inner_session() {
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    let key = opened_with_inner(&store).await;
    let stored = || server.cli(&["GET", &name_of(&key)]);
    assert_eq!(stored(), "1:inner");
    store.replace_inner(&key, 0, Some(1), Bytes::from_static(b"another")).await.unwrap();
    assert_eq!(stored(), "2:another");
    let renewed = |generation: u32, inner: Option<&'static [u8]>| Reconnection {
        handshake: Some(session().handshake),
        inner: inner.map(Bytes::from_static),
        ..change(key, generation)
    };
    store.reconnect(&renewed(0, Some(b"new"))).await.unwrap();
    assert_eq!(stored(), "3:new");
    store.reconnect(&renewed(1, None)).await.unwrap();
    assert_eq!(stored(), "3", "the number outlives what was removed");

    server.cli_with_bytes(&["SET", &name_of(&key)], b"4294967296:\0:1\r\n\xff");
    let read = SealedInner { incarnation: 1 << 32, sealed: Bytes::from_static(b"\0:1\r\n\xff") };
    assert_eq!(inner_of(&store, &key).await, Some(read));
    let replaced = store.replace_inner(&key, 2, Some(1 << 32), Bytes::new()).await.unwrap();
    assert_eq!(replaced, InnerReplaced::Replaced { incarnation: (1 << 32) + 1 });
    assert_eq!(stored(), "4294967297:");
    server.cli_with_bytes(&["SET", &name_of(&key)], b"7");
    assert_eq!(inner_of(&store, &key).await, None);
    let replaced = store.replace_inner(&key, 2, None, Bytes::new()).await.unwrap();
    assert_eq!(replaced, InnerReplaced::Replaced { incarnation: 8 });
}

#[tokio::test]
async fn a_session_without_an_inner_session_has_no_key_for_it() {
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    let key = opened(&store).await;
    for generation in 0..2 {
        let handshake = (generation == 1).then(|| session().handshake);
        store.reconnect(&Reconnection { handshake, ..change(key, generation) }).await.unwrap();
        store.blueprint(&key).await.unwrap();
        store.replace_inner(&key, 0, Some(1), Bytes::new()).await.unwrap();
    }
    store.end(&opened(&store).await, EndedBy::Operator, EndReason::Terminated).await.unwrap();
    assert!(!server.keys().iter().any(|name| name.contains(":n:")), "{:?}", server.keys());
}

#[tokio::test]
async fn what_is_left_behind_goes_by_itself_or_with_the_key() {
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    let key = opened_with_inner(&store).await;
    let ttl = || server.cli(&["PTTL", &name_of(&key)]).parse::<i64>().unwrap();
    store.end(&key, EndedBy::Operator, EndReason::Terminated).await.unwrap();
    let farewell = i64::try_from(SealedInner::FAREWELL.as_millis()).unwrap();
    assert!((farewell - 30_000..=farewell).contains(&ttl()), "it is left for a minute, not {} ms", ttl());
    let of_session = || server.keys().into_iter().filter(|name| name.contains(key.as_str())).collect::<Vec<_>>();
    assert_eq!(of_session(), [name_of(&key)], "and nothing else");
    server.cli(&["PEXPIRE", &name_of(&key), "0"]);
    assert_eq!(store.take_inner(&key).await.unwrap(), None, "nobody came in time");

    let again = NewSession { key, inner: Some(Bytes::from_static(b"inner")), ..session() };
    store.open(&again, None).await.unwrap();
    store.end(&key, EndedBy::Operator, EndReason::Terminated).await.unwrap();
    store.open(&NewSession { inner: None, ..again }, None).await.unwrap();
    assert!(!of_session().contains(&name_of(&key)), "it goes when the key is opened again");
    store.end(&key, EndedBy::Operator, EndReason::Terminated).await.unwrap();
    assert_eq!(of_session(), [""; 0]);
}
