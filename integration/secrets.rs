//! Nothing the layer says at `TRACE`, in an answer or in an error shows the secret half of a session id: people get its key.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tower::Layer;

use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::inner::{OnInitialize, Scripted};
use crate::harness::log::Log;
use crate::harness::raw::{Client, SESSION_ID, Session, Whole, initialize};
use crate::harness::replica::{Replica, layer};

on_every_backend! {
    no_secret_is_ever_said,
    what_handlers_can_print_shows_no_secret,
}

/// Expects that `said` holds neither an id nor a good part of its secret, in whatever spelling.
fn assert_silent(said: &str, session: &Session) {
    let secret = &session.id[16..];
    for part in [&secret[..8], &secret[10..18], &secret[19..]] {
        let bytes = format!("{:?}", part.as_bytes());
        assert!(!said.contains(part), "{part} is said");
        assert!(!said.contains(bytes.trim_matches(['[', ']'])), "{part} is said in numbers");
    }
}

async fn no_secret_is_ever_said(backend: Backend) {
    let log = Log::capture();
    let store = backend.store().await;
    let (inner, fresh) = (Scripted::with_sessions(), Scripted::with_sessions());
    let brief = |inner: &Scripted| layer(&store).idle_timeout(Duration::from_secs(1)).build().layer(inner.clone());
    let (here, there) = (Replica::start(brief(&inner)).await, Replica::start(brief(&fresh)).await);
    let anonymous = Client::of(&here).open("2025-11-25").await;
    let session = Session { client: anonymous.client.with("x-user", "alice"), id: anonymous.id.clone() };
    let elsewhere = session.at(&there);
    let mut answers: Vec<Whole> = Vec::new();

    // In use: here, there, by a stranger, and in every way that can go wrong.
    let listening = session.listen().await;
    answers.push(anonymous.call("echo", json!({})).await);
    assert!(elsewhere.works().await);
    for method in ["echo", "not-found", "not-found-in-words", "panic", "panic-in-stream", "session/remove"] {
        answers.push(elsewhere.call(method, json!({ "name": "note" })).await);
    }
    answers.push(session.client.with("x-user", "mallory").call("echo", json!({})).await);
    answers.push(session.client.with("mcp-protocol-version", "2024-11-05").call("echo", json!({})).await);
    answers.push(session.client.with("host", "evil.example").call("echo", json!({})).await);
    answers.push(session.client.with(SESSION_ID, &session.id[..42]).call("echo", json!({})).await);
    fresh.forget();
    fresh.script(|script| script.initialize = OnInitialize::Refuse(StatusCode::INTERNAL_SERVER_ERROR));
    answers.push(elsewhere.call("echo", json!({})).await);
    fresh.script(|script| script.initialize = OnInitialize::Json);
    store.set_down(true);
    let newcomer = Replica::of(&store, &fresh).await;
    answers.push(session.at(&newcomer).call("echo", json!({})).await);
    answers.push(session.at(&newcomer).delete().await);
    answers.push(Client::of(&newcomer).post(&initialize("2025-11-25")).await.whole().await);
    store.set_down(false);

    // Idle, back, ended, and asked for once more.
    drop(listening);
    eventually("the session is idle", async || store.counts().await == (0, 1)).await;
    assert!(elsewhere.works().await);
    answers.push(elsewhere.delete().await);
    eventually("it has ended everywhere", async || session.status().await == StatusCode::NOT_FOUND).await;
    answers.push(session.call("echo", json!({})).await);

    let said = log.text();
    for event in
        ["session_created", "session_adopted", "session_disconnected", "session_reconnected", "session_terminated"]
    {
        assert!(said.contains(event), "the log shows the session's life: {event}");
    }
    assert!(said.contains(session.key()), "the session goes by its key");
    assert!(said.contains("TRACE") || said.contains("DEBUG"), "the log is as talkative as it can be");
    assert_silent(&said, &session);
    for answer in &answers {
        assert_silent(&format!("{:?} {}", answer.headers, answer.text()), &session);
    }
}

async fn what_handlers_can_print_shows_no_secret(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let sessions = layer(&store).build();
    let replica = Replica::start(sessions.layer(inner.clone())).await;
    let session = Client::of(&replica).open("2025-11-25").await;
    assert!(session.works().await);
    for seen in inner.seen() {
        let shown = format!("{:?} {:?} {:?}", seen.session, seen.headers, seen.body);
        assert_silent(&shown, &session);
    }
    assert_silent(&format!("{sessions:?} {:?}", layer(&store)), &session);
    let id = tower_mcp_sessions::SessionId::parse(session.id.as_bytes()).expect("an id of the layer's");
    assert_silent(&format!("{id:?} {:?} {:?} {:?}", id.key(), id.digest(), id.header_value()), &session);
    let handle = inner.last("echo").session.expect("the session");
    session.delete().await;
    let refused = handle.insert("note", "late").await.unwrap_err();
    assert_silent(&format!("{refused} {refused:?}"), &session);
}
