//! A session belongs to the principal that opened it. To everybody else it does not exist: on any replica, for any method,
//! byte for byte.

use http::{Method, StatusCode};
use serde_json::json;
use tower::Layer;
use tower_mcp_sessions::Freshness;

use crate::harness::backend::{Backend, SharedStore, on_every_backend};
use crate::harness::inner::Scripted;
use crate::harness::raw::{Client, SESSION_ID, Session, Whole, request};
use crate::harness::replica::{Replica, layer};

on_every_backend! {
    to_a_stranger_a_known_id_is_an_unknown_one_on_every_replica,
    to_nobody_somebodys_session_is_an_unknown_one,
    a_strangers_requests_touch_neither_the_session_nor_its_streams,
    fresh_credentials_of_the_same_principal_are_welcome,
}

/// Well-formed, and never minted.
const UNKNOWN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

async fn replicas(store: &SharedStore, inner: &Scripted) -> [Replica; 3] {
    let strict = layer(store).freshness(Freshness::Strict).build().layer(inner.clone());
    [Replica::of(store, inner).await, Replica::of(store, inner).await, Replica::start(strict).await]
}

/// Everything one can try with an id, and its answers.
async fn everything(client: &Client) -> Vec<Whole> {
    let call = request(9, "echo", json!({}));
    let batch = json!([call, call]);
    let answer = json!({ "jsonrpc": "2.0", "id": 0, "result": {} });
    let mut answers = Vec::new();
    for body in [call, batch, answer, json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })] {
        answers.push(client.post(&body).await.whole().await);
    }
    answers.push(client.get().await.whole().await);
    answers.push(client.with("last-event-id", "0").get().await.whole().await);
    answers.push(client.with("mcp-protocol-version", "2024-11-05").call("echo", json!({})).await);
    answers.push(client.send(Method::DELETE, "").await.whole().await);
    answers
}

/// Expects that `client` is told the same of a session as of an id that names none.
async fn assert_stranger(client: &Client, session: &Session) {
    let known = everything(&client.with(SESSION_ID, &session.id)).await;
    let unknown = everything(&client.with(SESSION_ID, UNKNOWN)).await;
    for (known, unknown) in known.iter().zip(&unknown) {
        assert_eq!(known.status, StatusCode::NOT_FOUND);
        assert_eq!(known.fingerprint(), unknown.fingerprint());
    }
}

async fn to_a_stranger_a_known_id_is_an_unknown_one_on_every_replica(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replicas = replicas(&store, &inner).await;
    for version in crate::harness::raw::LEGACY {
        let session = Client::of(&replicas[0]).with("x-user", "alice").open(version).await;
        for replica in &replicas {
            let mallory = Client::of(replica).with("x-user", "mallory");
            assert_stranger(&mallory, &session).await;
            assert!(session.at(replica).works().await, "the replica may have its verdict cached now");
            assert_stranger(&mallory, &session).await;
            assert!(session.at(replica).works().await);
        }
    }
}

async fn to_nobody_somebodys_session_is_an_unknown_one(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replicas = replicas(&store, &inner).await;
    let of_alice = Client::of(&replicas[0]).with("x-user", "alice").open("2025-11-25").await;
    for replica in &replicas {
        assert_stranger(&Client::of(replica), &of_alice).await;
        assert!(of_alice.at(replica).works().await);
    }
}

async fn a_strangers_requests_touch_neither_the_session_nor_its_streams(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replicas = replicas(&store, &inner).await;
    let session = Client::of(&replicas[0]).with("x-user", "alice").open("2025-11-25").await;
    let mut listening = session.listen().await;
    assert!(listening.next().await.is_some());
    let mut call = session.stream("stream").await;
    assert!(call.next().await.is_some());
    let seen = inner.seen().len();
    for replica in &replicas {
        assert_stranger(&Client::of(replica).with("x-user", "mallory"), &session).await;
    }
    assert_eq!(inner.seen().len(), seen, "nothing reached the inner service");
    assert_eq!((store.counts().await, inner.sessions()), ((1, 0), 1));
    inner.let_one_go();
    assert_eq!(call.rest().await[0]["result"]["done"], true);
    assert_eq!(inner.running(), 1, "the listening stream is still open");
    assert_eq!(session.delete().await.status, StatusCode::NO_CONTENT);
    assert_eq!(listening.rest().await.len(), 0);
}

async fn fresh_credentials_of_the_same_principal_are_welcome(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replicas = replicas(&store, &inner).await;
    let first = Client::of(&replicas[0]).with("x-user", "alice").with("authorization", "Bearer first");
    let session = first.open("2025-11-25").await;
    for (number, replica) in replicas.iter().enumerate() {
        let bearer = format!("Bearer number {number}");
        let client = session.client.at(replica).with("authorization", &bearer);
        assert_eq!(client.call("echo", json!({})).await.status, StatusCode::OK);
        assert_eq!(inner.last("echo").header("authorization"), Some(bearer.as_str()));
    }
}
