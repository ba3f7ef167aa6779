//! What a reconnect makes of what lies in Redis.

use bytes::Bytes;
use tower_mcp_sessions::SessionRecord;
use tower_mcp_sessions::store::{Reconnected, Reconnection, SessionStore, StreamLog, Touch, TouchOutcome};

use super::fixture::{LIMITS, change, opened, patient, seen, stream};
use crate::harness::redis::RedisServer;

#[tokio::test]
async fn generations_of_any_bytes_are_told_apart() {
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    let key = opened(&store).await;
    let before = store.find(&key).await.unwrap().unwrap();
    for bytes in [*b"\0\0\0\xff", *b"\0\0DA", *b"ADAD", *b"\x7f\xff\xff\xff", *b"\xff\xff\xff\xfe"] {
        server.cli_with_bytes(&["SETRANGE", &format!("mcp:{{00}}:s:{key}"), "2"], &bytes);
        let generation = u32::from_be_bytes(bytes);
        let touch = |generation: u32| Touch { generation, ..seen(key) };
        let touched = store.touch(&[touch(generation), touch(generation - 1)]).await.unwrap();
        assert_eq!(touched.outcomes, [TouchOutcome::Active, TouchOutcome::Superseded], "{generation}");
        let renewed = change(key, generation);
        let reconnected = store.reconnect(&renewed).await.unwrap();
        let generation = generation + 1;
        assert!(matches!(reconnected, Reconnected::Done { generation: told, .. } if told == generation));
        let Reconnection { digest, origin, .. } = renewed;
        let record = SessionRecord { generation, digest, origin, ..before };
        assert_eq!(store.find(&key).await.unwrap(), Some(record));
    }
}

#[tokio::test]
async fn a_winners_time_to_retry_runs_out() {
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    let key = opened(&store).await;
    let won = store.reconnect(&change(key, 0)).await.unwrap();
    let Reconnected::Done { now, .. } = won else { panic!("reconnecting said {won:?}") };
    let wire = format!("mcp:{{00}}:w:{key}");
    let until = now.0 + 30_000;
    let note = server.cli(&["HGET", &wire, "#retry"]);
    assert!(note.starts_with(&format!("0:{until}:")), "the store's clock says when it is over: {note}");
    let nonce = change(key, 0).nonce.unwrap();
    let over = [format!("0:{}:", now.0).as_bytes(), nonce.as_bytes()].concat();
    server.cli_with_bytes(&["HSET", &wire, "#retry"], &over);
    assert_eq!(store.reconnect(&change(key, 0)).await.unwrap(), Reconnected::Superseded);
}

#[tokio::test]
async fn what_a_reconnect_forgets_does_not_lie_around() {
    let server = RedisServer::start();
    let store = patient(server.url()).connect().await.unwrap();
    let key = opened(&store).await;
    let (log, meta) = (format!("mcp:{{00}}:l:{key}"), format!("mcp:{{00}}:m:{key}"));
    let write = async |generation: u32, name: &str| {
        store.append(&key, generation, &stream(name), &[Bytes::from_static(b"m")], &LIMITS).await.unwrap();
    };
    for i in 0..200 {
        write(0, &format!("s{i}")).await;
    }
    store.reconnect(&change(key, 0)).await.unwrap();
    assert_eq!(server.cli(&["EXISTS", &log]), "0", "a log without a message for listeners is dropped");
    assert_eq!(server.cli(&["HLEN", &meta]), "3", "and so is what was known of its streams");
    for name in ["a", "listen", "b"] {
        write(1, name).await;
    }
    store.reconnect(&change(key, 1)).await.unwrap();
    assert_eq!(server.cli(&["LLEN", &log]), "3", "one with such a message makes room as it is needed");
    assert_eq!(store.read(&key, &stream("a"), 0, 10).await.unwrap().messages, [], "and shows nothing else");
}
