//! `McpSession`: what a handler keeps with a session is there on every replica, within its limit, until the session ends.

use http::StatusCode;
use serde_json::{Value, json};

use super::{replica, tuned};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::inner::Scripted;
use crate::harness::raw::{Client, Session};

on_every_backend! {
    what_one_replica_keeps_another_one_finds,
    data_within_its_limit_is_kept_and_beyond_it_nothing_changes,
    data_outlives_idleness_and_ends_with_its_session,
}

async fn put(session: &Session, name: &str, value: impl Into<Value>) -> Value {
    session.call("session/put", json!({ "name": name, "value": value.into() })).await.json()["result"].clone()
}

async fn get(session: &Session, name: &str) -> Value {
    session.call("session/get", json!({ "name": name })).await.json()["result"]["value"].clone()
}

async fn remove(session: &Session, name: &str) -> Value {
    session.call("session/remove", json!({ "name": name })).await.json()["result"]["removed"].clone()
}

async fn what_one_replica_keeps_another_one_finds(backend: Backend) {
    for inner in [Scripted::with_sessions(), Scripted::without_sessions()] {
        let store = backend.store().await;
        let (here, there) = (replica(&store, &inner).await, replica(&store, &inner).await);
        let session = Client::of(&here).open("2025-11-25").await;
        let (elsewhere, neighbour) = (session.at(&there), Client::of(&here).open("2025-11-25").await);
        assert_eq!(get(&session, "note").await, Value::Null);
        let value = json!({ "é \"quoted\"": [1, 2.5, null], "line": "a\r\nb\u{0}" });
        assert_eq!(put(&session, "note", value.clone()).await, json!({ "stored": true }));
        assert_eq!(get(&elsewhere, "note").await, value);
        assert_eq!(put(&elsewhere, "note", 7).await, json!({ "stored": true }));
        assert_eq!(put(&elsewhere, "with space: \"ü\"", "x").await, json!({ "stored": true }));
        assert_eq!((get(&session, "note").await, get(&session, "with space: \"ü\"").await), (json!(7), json!("x")));
        assert_eq!(get(&neighbour, "note").await, Value::Null, "data belongs to one session");
        assert_eq!((remove(&elsewhere, "note").await, remove(&session, "note").await), (json!(true), json!(false)));
        assert_eq!(get(&session, "note").await, Value::Null);
    }
}

async fn data_within_its_limit_is_kept_and_beyond_it_nothing_changes(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let here = tuned(&store, &inner, |layer| layer.data_limit(100)).await;
    let session = Client::of(&here).open("2025-11-25").await;
    // A name of one byte, two quotes, and the text.
    let text = |length: usize| "x".repeat(length - 3);
    assert_eq!(put(&session, "a", text(100)).await, json!({ "stored": true }));
    let refused = json!({ "stored": false, "too_large": true, "ended": false });
    assert_eq!(put(&session, "a", text(101)).await, refused);
    assert_eq!(put(&session, "b", 1).await, refused);
    assert_eq!(get(&session, "a").await, text(100));
    assert_eq!(put(&session, "a", text(50)).await, json!({ "stored": true }), "replacing frees what was there");
    assert_eq!(put(&session, "b", text(50)).await, json!({ "stored": true }));
    assert_eq!(put(&session, "c", 1).await, refused);
    assert_eq!(remove(&session, "a").await, true);
    assert_eq!(put(&session, "c", text(50)).await, json!({ "stored": true }));
}

async fn data_outlives_idleness_and_ends_with_its_session(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let (here, there) = (replica(&store, &inner).await, replica(&store, &inner).await);
    let session = Client::of(&here).open("2025-11-25").await;
    put(&session, "note", "kept").await;
    eventually("the session is idle", async || store.counts().await == (0, 1)).await;
    assert_eq!(get(&session.at(&there), "note").await, "kept");
    let handle = inner.last("session/get").session.expect("the session");
    assert_eq!(session.at(&there).delete().await.status, StatusCode::NO_CONTENT);
    assert_eq!(handle.get::<String>("note").await.unwrap(), None);
    assert!(handle.insert("note", "late").await.unwrap_err().is_ended());
    assert!(handle.remove("note").await.unwrap_err().is_ended());
    assert_eq!(store.counts().await, (0, 0), "a late write brings nothing back");
}
