//! Redis drops keys one by one where its memory is short and its policy allows it: what becomes of a session that lacks one.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tower_mcp_sessions::{EndReason, InnerSessions, SessionKey};

use crate::harness::backend::Backend;
use crate::harness::eventually::eventually;
use crate::harness::raw::Session;
use crate::harness::trio::Trio;
use crate::streams::{word, words_in};

/// A session's key in Redis, by its letter.
fn key(session: &Session, letter: char) -> String {
    format!("mcp:{{00}}:{letter}:{}", session.key())
}

fn drop_key(trio: &Trio, session: &Session, letter: char) {
    let dropped = trio.store.redis().expect("a Redis").cli(&["DEL", &key(session, letter)]);
    assert_eq!(dropped, "1", "the session has a key {letter}");
}

/// Expects that the session has ended for everybody, for this reason, once.
async fn assert_handshake_lost(trio: &Trio, session: &Session, why: &str) {
    for session in trio.everywhere(session) {
        eventually(why, async || session.status().await == StatusCode::NOT_FOUND).await;
    }
    let key = SessionKey::parse(session.key()).expect("a session's key");
    assert_eq!(trio.store.ended(), [(key, EndReason::HandshakeLost)], "{why}");
    assert_eq!(trio.store.counts().await, (0, 0), "{why}");
    eventually(why, async || trio.inners.iter().all(|inner| inner.sessions() == 0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_whose_handshake_is_lost_ends_for_all() {
    let garbage: [Option<&[u8]>; 7] = [
        None,
        Some(b""),
        Some(b"{"),
        Some(b"\xff\x00"),
        Some(br#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025"#),
        Some(br#"{"jsonrpc":"2.0","id":0,"method":"ping"}"#),
        Some(br#"{"jsonrpc":"2.0","method":"initialize"}"#),
    ];
    for kept in garbage {
        let why = kept.map_or("dropped".into(), String::from_utf8_lossy).into_owned();
        let trio = Trio::start(Backend::Redis).await;
        let session = trio.open().await;
        let [a, b, _] = trio.everywhere(&session);
        match kept {
            None => drop_key(&trio, &session, 'h'),
            Some(kept) => {
                let redis = trio.store.redis().expect("a Redis");
                assert_eq!(redis.cli_with_bytes(&["SET", &key(&session, 'h')], kept), "OK");
            }
        }
        assert!(a.works().await, "{why}: nobody needs it here");
        let refused = b.call("echo", json!({})).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{why}");
        assert_eq!(refused.json()["error"]["code"], -32001, "{why}");
        assert_handshake_lost(&trio, &session, &why).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_no_replica_needs_the_handshake_of_lives_on() {
    let trio = Trio::start(Backend::Redis).await;
    let everywhere = trio.open_everywhere().await;
    drop_key(&trio, &everywhere[0], 'h');
    for session in &everywhere {
        assert!(session.works().await);
    }
    trio.inners[2].forget();
    assert_eq!(everywhere[2].status().await, StatusCode::NOT_FOUND, "its inner service has to be told again");
    assert_handshake_lost(&trio, &everywhere[0], "needed after all").await;

    let trio = Trio::in_front_of_one(Backend::Redis, |builder| builder.inner_sessions(InnerSessions::Shared)).await;
    let session = trio.open().await;
    drop_key(&trio, &session, 'h');
    for session in trio.everywhere(&session) {
        assert!(session.works().await, "the inner session is taken up, and no handshake replayed");
    }
    assert!(trio.store.ended().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_whose_record_is_lost_is_gone_for_all_and_no_longer_counted() {
    let trio = Trio::with(Backend::Redis, |builder| builder.idle_timeout(Duration::from_secs(2))).await;
    let everywhere = trio.open_everywhere().await;
    let mut listening = everywhere[1].listen().await;
    listening.take(1).await;
    drop_key(&trio, &everywhere[0], 's');
    for session in &everywhere {
        eventually("it is gone", async || session.status().await == StatusCode::NOT_FOUND).await;
        assert_eq!(session.delete().await.status, StatusCode::NOT_FOUND);
    }
    listening.all().await;
    eventually("it is counted no longer", async || trio.store.counts().await == (0, 0)).await;
    eventually("it ends inside", async || trio.inners.iter().all(|inner| inner.sessions() == 0)).await;
    assert!(trio.open().await.works().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_lacks_anything_else_lives_on() {
    for letter in ['d', 'm', 'l', 'w', 'i'] {
        let trio = Trio::start(Backend::Redis).await;
        let everywhere = trio.open_everywhere().await;
        let [a, b, c] = &everywhere;
        let value = json!({ "name": "note", "value": 7 });
        a.call("session/put", value.clone()).await;
        let mut listening = b.listen().await;
        listening.take(1).await;
        trio.all_heard().await;
        for text in ["one", "two", "three"] {
            trio.inners[0].say(&word(text));
        }
        assert_eq!(words_in(&listening.take(3).await), ["one", "two", "three"], "{letter}");
        assert_eq!(a.call("logging/setLevel", json!({ "level": "debug" })).await.status, StatusCode::OK);

        drop_key(&trio, a, letter);

        for session in &everywhere {
            assert!(session.works().await, "{letter}");
            assert_eq!(session.call("logging/setLevel", json!({ "level": "info" })).await.status, StatusCode::OK);
        }
        let kept = c.call("session/get", json!({ "name": "note" })).await.json()["result"]["value"].clone();
        assert_eq!(kept, if letter == 'd' { json!(null) } else { json!(7) }, "{letter}");
        assert_eq!(c.call("session/put", value).await.json()["result"]["stored"], true, "{letter}");
        let mut stream = b.begin(1, "steps", json!({ "steps": 1 })).await;
        stream.take(2).await;
        trio.inners[1].release("", 1);
        assert!(stream.all().await.last().expect("a result").message()["result"].is_object(), "{letter}");
        if letter == 'w' {
            // Who listens is forgotten with it: the stream ends, and the client comes back.
            listening.all().await;
            listening = b.listen().await;
            listening.take(1).await;
        }
        trio.inners[0].say(&word("four"));
        // How far it had heard is forgotten too: it hears it again rather than not at all.
        let heard: &[&str] = if letter == 'w' { &["one", "two", "three", "four"] } else { &["four"] };
        assert_eq!(words_in(&listening.take(heard.len()).await), heard, "{letter}: its listener hears on");
        drop(listening);
        eventually("the listener has left", async || trio.store.departures() > 0).await;
        trio.inners[0].say(&word("five"));
        let mut again = c.listen().await;
        again.take(1).await;
        assert_eq!(words_in(&again.take(1).await), ["five"], "{letter}: and so does the next one");
        assert!(trio.store.ended().is_empty(), "{letter}");
    }
}
