//! Whatever is asked without a session leaves nothing behind: no key, no inner session, no growth.

use http::{HeaderName, Method, StatusCode};
use serde_json::json;

use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::inner::{OnInitialize, Scripted};
use crate::harness::raw::{Client, SESSION_ID, initialize, request};
use crate::harness::replica::Replica;

on_every_backend! {
    ten_thousand_unknown_ids_leave_nothing_behind,
    probes_and_calls_without_an_id_leave_nothing_behind,
    refused_initializes_leave_nothing_behind,
}

async fn ten_thousand_unknown_ids_leave_nothing_behind(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let mut connection = Client::of(&replica).connect().await;
    let call = request(1, "echo", json!({})).to_string();
    for number in 0..10_000 {
        connection.set(SESSION_ID, &format!("{number:0>42}A"));
        let method = [Method::POST, Method::GET, Method::DELETE][number % 3].clone();
        let answer = connection.exchange(method, call.clone()).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(store.counts().await, (0, 0));
    assert_eq!(inner.seen().len(), 0);
}

async fn probes_and_calls_without_an_id_leave_nothing_behind(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let client = Client::of(&replica);
    for method in ["HEAD", "PUT", "PATCH", "TRACE", "PROPFIND"] {
        let answer = client.send(method.parse().unwrap(), "").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(answer.headers["allow"], "GET, POST, DELETE");
    }
    let preflight = client.with("access-control-request-method", "POST").with("origin", "http://localhost");
    preflight.send(Method::OPTIONS, "").await;
    assert_eq!(inner.seen().len(), 1, "OPTIONS is the inner service's to answer");
    let mut connection = client.connect().await;
    connection.set(HeaderName::from_static("user-agent"), "prober");
    for _ in 0..1_000 {
        let answer = connection.exchange(Method::POST, request(1, "echo", json!({})).to_string()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(inner.seen().len(), 1);
    assert_eq!((store.commands(), store.counts().await), (0, (0, 0)));
}

async fn refused_initializes_leave_nothing_behind(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let mut connection = Client::of(&replica).connect().await;
    for refusal in [
        OnInitialize::Error,
        OnInitialize::Refuse(StatusCode::BAD_REQUEST),
        OnInitialize::Refuse(StatusCode::UNAUTHORIZED),
        OnInitialize::Refuse(StatusCode::INTERNAL_SERVER_ERROR),
        OnInitialize::BrokenOff,
        OnInitialize::Panic,
    ] {
        inner.script(|script| script.initialize = refusal);
        for _ in 0..50 {
            let answer = connection.exchange(Method::POST, initialize("2025-11-25").to_string()).await;
            assert_eq!(answer.session_id(), None, "{refusal:?}");
        }
        eventually(&format!("no inner session is left by {refusal:?}"), async || inner.sessions() == 0).await;
    }
    assert_eq!((store.commands(), store.counts().await), (0, (0, 0)));
}
