//! Session ids: every id that names no live session of the caller's is answered alike, and none of that costs anything.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;
use tower::Layer;

use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::{eventually, within};
use crate::harness::inner::Scripted;
use crate::harness::raw::{Client, SESSION_ID, Session, request};
use crate::harness::replica::{Replica, layer};

on_every_backend! {
    every_id_without_a_session_is_answered_byte_for_byte_alike,
    a_malformed_id_costs_no_store_command,
    an_id_that_cannot_be_read_is_refused_before_the_layer_looks,
    a_request_without_an_id_is_told_what_is_missing,
    no_answer_but_that_to_initialize_carries_an_id,
    a_store_that_cannot_say_is_503_and_never_404,
}

const MALFORMED: &str = "not-an-id-of-ours";
/// Well-formed, and never minted.
const UNKNOWN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

async fn every_id_without_a_session_is_answered_byte_for_byte_alike(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let short = layer(&store).idle_timeout(Duration::from_secs(1)).expires_after(Duration::from_secs(1)).build();
    let short_lived = Replica::start(short.layer(inner.clone())).await;
    let expired = Client::of(&short_lived).open("2025-11-25").await;
    eventually("the session expires", async || store.counts().await == (0, 0)).await;
    drop((short, short_lived));
    let replica = Replica::of(&store, &inner).await;
    let client = Client::of(&replica);
    let terminated = client.open("2025-11-25").await;
    assert_eq!(terminated.delete().await.status, StatusCode::NO_CONTENT);
    let foreign = client.with("x-user", "alice").open("2025-11-25").await;
    let mut altered = foreign.id.clone().into_bytes();
    altered[20] = if altered[20] == b'A' { b'B' } else { b'A' };
    let wrong_secret = String::from_utf8(altered).unwrap();

    let ask = async |id: &str| {
        let client = client.with(SESSION_ID, id);
        let post = client.post(&request(7, "echo", json!({}))).await.whole().await;
        let get = client.get().await.whole().await;
        let resume = client.with("last-event-id", "x").get().await.whole().await;
        let delete = client.delete().await.whole().await;
        [post, get, resume, delete].map(|answer| answer.fingerprint())
    };
    let malformed = ask(MALFORMED).await;
    assert!(malformed.iter().all(|(status, ..)| *status == StatusCode::NOT_FOUND));
    let post = String::from_utf8(malformed[0].2.to_vec()).unwrap();
    assert!(post.contains(r#""id":7"#) && post.contains("-32001"), "{post}");
    for (what, id) in [
        ("unknown", UNKNOWN),
        ("expired", &expired.id),
        ("terminated", &terminated.id),
        ("foreign", &foreign.id),
        ("wrong secret", &wrong_secret),
    ] {
        assert_eq!(ask(id).await, malformed, "{what}");
    }
}

async fn a_malformed_id_costs_no_store_command(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let client = Client::of(&replica);
    let (long, short) = ("A".repeat(8192), "A".repeat(42));
    for id in [MALFORMED, &long, &short, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+", "*", "a b"] {
        let client = client.with(SESSION_ID, id);
        for method in [Method::POST, Method::GET, Method::DELETE] {
            let answer = client.send(method.clone(), request(1, "echo", json!({})).to_string()).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {id}");
        }
    }
    let empty = client.with(SESSION_ID, "").call("echo", json!({})).await;
    assert_eq!(empty.status, StatusCode::BAD_REQUEST);
    assert_eq!(store.commands(), 0);
    assert_eq!(inner.seen().len(), 0);
}

async fn an_id_that_cannot_be_read_is_refused_before_the_layer_looks(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let client = Client::of(&replica);
    let body = request(1, "echo", json!({})).to_string();
    for id_lines in [
        format!("mcp-session-id: {UNKNOWN}\r\nmcp-session-id: {UNKNOWN}\r\n"),
        format!("mcp-session-id: {UNKNOWN}\r\nMcp-Session-Id: other\r\n"),
        "mcp-session-id:\r\n".to_owned(),
        "mcp-session-id: a\0b\r\n".to_owned(),
        "mcp-session-id: a\rb\r\n".to_owned(),
        "mcp-session-id: a\nb\r\n".to_owned(),
    ] {
        let head = client.head("POST");
        let request = format!("{head}{id_lines}content-length: {}\r\n\r\n{body}", body.len());
        let answer = client.bytes(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{id_lines:?}: {answer}");
    }
    assert_eq!(store.commands(), 0);
    assert_eq!(inner.seen().len(), 0);
}

async fn a_request_without_an_id_is_told_what_is_missing(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let client = Client::of(&replica);
    let post = client.post(&request(41, "echo", json!({}))).await.whole().await;
    assert_eq!(post.status, StatusCode::BAD_REQUEST);
    assert_eq!(post.json()["id"], 41);
    assert!(post.text().contains("Mcp-Session-Id"));
    for method in [Method::GET, Method::DELETE] {
        let answer = client.send(method, "").await.whole().await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.json()["id"].is_null());
    }
    assert_eq!((store.commands(), inner.seen().len()), (0, 0));
}

async fn no_answer_but_that_to_initialize_carries_an_id(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let session: Session = Client::of(&replica).open("2025-11-25").await;
    for method in ["echo", "not-found", "panic", "panic-in-stream", "no-such-method"] {
        assert_eq!(session.call(method, json!({})).await.session_id(), None, "{method}");
    }
    let get = session.client.get().await;
    assert_eq!(get.status, StatusCode::OK);
    assert!(!get.headers.contains_key(SESSION_ID));
    assert_eq!(session.delete().await.session_id(), None);
    assert_eq!(session.call("echo", json!({})).await.session_id(), None);
}

async fn a_store_that_cannot_say_is_503_and_never_404(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let here = Replica::of(&store, &inner).await;
    let fresh = Replica::of(&store, &Scripted::with_sessions()).await;
    let session = Client::of(&here).open("2025-11-25").await;
    let opened = inner.sessions();
    store.set_down(true);
    let stranger = session.at(&fresh);
    for answer in [
        stranger.call("echo", json!({})).await,
        stranger.client.get().await.whole().await,
        stranger.delete().await,
        session.client.without(SESSION_ID).call("initialize", json!({ "protocolVersion": "2025-11-25" })).await,
    ] {
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers["retry-after"], "1");
        assert!(answer.json()["error"]["message"].as_str().is_some_and(|text| text.contains("not lost")));
    }
    eventually("the inner session of the refused initialize is closed", async || inner.sessions() == opened).await;
    within(Duration::from_secs(1), "what was cached is no longer good", async || {
        let status = session.status().await;
        assert!(matches!(status, StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE), "{status}");
        status == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;
    store.set_down(false);
    assert!(stranger.works().await && session.works().await);
}
