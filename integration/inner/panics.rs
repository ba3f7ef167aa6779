//! A panic in the inner service costs one answer: before the head a 500, in a stream an error event; the process, the
//! session and the permits go on.

use http::StatusCode;
use serde_json::json;
use tower::{Layer, ServiceBuilder};

use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::soon;
use crate::harness::inner::Scripted;
use crate::harness::raw::{Client, Session, modern, request};
use crate::harness::replica::{Replica, layer};

on_every_backend! {
    a_panic_before_the_head_is_a_500_with_the_requests_id,
    a_panic_in_a_stream_is_an_error_event_for_its_request,
    a_panic_within_a_message_ends_the_stream_with_an_error,
    a_panic_over_a_modern_request_is_a_500,
    a_panic_releases_its_permit,
}

async fn open(backend: Backend, inner: &Scripted) -> (Replica, Session) {
    let replica = Replica::of(&backend.store().await, inner).await;
    let session = Client::of(&replica).open("2025-11-25").await;
    (replica, session)
}

async fn a_panic_before_the_head_is_a_500_with_the_requests_id(backend: Backend) {
    for inner in [Scripted::with_sessions(), Scripted::without_sessions()] {
        let (_replica, session) = open(backend, &inner).await;
        let answer = session.client.post(&request(31, "panic", json!({}))).await.whole().await;
        assert_eq!((answer.status, &answer.json()["id"]), (StatusCode::INTERNAL_SERVER_ERROR, &json!(31)));
        assert!(!answer.text().contains("told to"), "what the panic said is nobody's business");
        assert!(session.works().await);
        assert_eq!(inner.asked("initialize"), 1, "the binding is as it was");
    }
}

async fn a_panic_in_a_stream_is_an_error_event_for_its_request(backend: Backend) {
    for version in crate::harness::raw::LEGACY {
        let inner = Scripted::with_sessions();
        let replica = Replica::of(&backend.store().await, &inner).await;
        let session = Client::of(&replica).open(version).await;
        let answer = session.client.post(&request(32, "panic-in-stream", json!({}))).await;
        let messages = answer.events().rest().await;
        assert_eq!(messages[0]["params"]["data"], "so far so good");
        assert_eq!((&messages[1]["id"], messages[1]["error"]["code"].is_i64()), (&json!(32), true));
        assert_eq!(messages.len(), 2);
        assert!(session.works().await);
    }
}

/// Half a message reaches no client, and a stream that seems complete would leave the client waiting.
async fn a_panic_within_a_message_ends_the_stream_with_an_error(backend: Backend) {
    let inner = Scripted::with_sessions();
    let (_replica, session) = open(backend, &inner).await;
    for method in ["panic-in-message", "panic-in-stream"] {
        let messages = session.client.post(&request(33, method, json!({}))).await.events().rest().await;
        let last = messages.last().expect("an error");
        assert_eq!((&last["id"], last["error"]["code"].is_i64()), (&json!(33), true), "{method}");
    }
    assert!(session.works().await);
}

async fn a_panic_over_a_modern_request_is_a_500(backend: Backend) {
    let inner = Scripted::with_sessions();
    let replica = Replica::of(&backend.store().await, &inner).await;
    for client in [Client::of(&replica), Client::of(&replica).with("mcp-protocol-version", "2026-07-28")] {
        let answer = client.post(&modern("panic")).await.whole().await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(client.post(&modern("echo")).await.status, StatusCode::OK);
        assert!(client.sees_break(&modern("panic-in-stream")).await);
    }
}

async fn a_panic_releases_its_permit(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let narrow = ServiceBuilder::new().concurrency_limit(1).service(inner.clone());
    let replica = Replica::start(layer(&store).build().layer(narrow)).await;
    let session = Client::of(&replica).open("2025-11-25").await;
    for method in ["panic", "panic-in-stream", "panic"] {
        soon("a permit for the panic", session.client.post(&request(1, method, json!({})))).await;
        assert!(soon("a permit for the next call", session.works()).await);
    }
}
