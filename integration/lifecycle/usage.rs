//! What counts as use: requests, wherever they arrive, calls as long as they last, and open streams.

use std::time::Duration;

use futures::future::join;
use serde_json::json;
use tower_mcp_sessions::OnReturn;

use super::{IDLE, replica, tuned};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::{eventually, throughout};
use crate::harness::inner::Scripted;
use crate::harness::raw::{Client, LEGACY, request};

on_every_backend! {
    a_session_created_on_one_replica_and_used_on_another_lives,
    a_call_longer_than_the_idle_timeout_keeps_its_session_active,
    a_slow_body_keeps_its_session_active,
    an_open_listening_stream_keeps_its_session_active_in_every_revision,
    a_listening_stream_without_anything_to_say_keeps_its_session_active_only_while_it_is_open,
    use_by_strangers_is_no_use,
    a_stream_open_through_an_outage_of_the_store_keeps_its_session,
}

async fn a_session_created_on_one_replica_and_used_on_another_lives(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let (here, there) = (replica(&store, &inner).await, replica(&store, &inner).await);
    let session = Client::of(&here).open("2025-11-25").await;
    let elsewhere = session.at(&there);
    throughout(IDLE * 3, "it is served", async || elsewhere.works().await).await;
    assert_eq!(store.disconnected(), [], "a local sweep would have ended it here");
    assert!(session.works().await);
}

/// Keeps a call open for twice the idle timeout, and expects the session to stay active until it is over.
async fn stays_active_during(backend: Backend, method: &str) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let (here, _there) = (replica(&store, &inner).await, replica(&store, &inner).await);
    let session = Client::of(&here).open("2025-11-25").await;
    let call = async { session.client.post(&request(1, method, json!({}))).await.whole().await };
    let meanwhile = async {
        throughout(IDLE * 2, "the session is active", async || store.counts().await == (1, 0)).await;
        assert_eq!(inner.running(), 1);
        inner.let_one_go();
    };
    let (answer, ()) = join(call, meanwhile).await;
    assert!(answer.text().contains("result"), "{}", answer.text());
    assert_eq!(store.disconnected(), []);
    eventually("the session is idle once the call is over", async || store.counts().await == (0, 1)).await;
}

async fn a_call_longer_than_the_idle_timeout_keeps_its_session_active(backend: Backend) {
    stays_active_during(backend, "wait").await;
    stays_active_during(backend, "stream").await;
}

async fn a_slow_body_keeps_its_session_active(backend: Backend) {
    stays_active_during(backend, "slow-body").await;
}

async fn an_open_listening_stream_keeps_its_session_active_in_every_revision(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let (here, there) = (replica(&store, &inner).await, replica(&store, &inner).await);
    let mut listening = Vec::new();
    for version in LEGACY {
        listening.push(Client::of(&here).open(version).await.at(&there).listen().await);
    }
    throughout(IDLE * 2, "the sessions are active", async || store.counts().await == (3, 0)).await;
    drop(listening);
    eventually("the sessions are idle", async || store.counts().await == (0, 3)).await;
}

async fn a_listening_stream_without_anything_to_say_keeps_its_session_active_only_while_it_is_open(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::without_sessions());
    inner.script(|script| script.listens = false);
    let here = replica(&store, &inner).await;
    let session = Client::of(&here).open("2025-11-25").await;
    let mut listening = session.listen().await;
    let first = listening.next_raw().await.unwrap();
    assert!(first.ends_with("\ndata:\n\n"), "the layer listens in the inner service's place: {first:?}");
    throughout(IDLE * 2, "the session is active", async || store.counts().await == (1, 0)).await;
    drop(listening);
    eventually("the session is idle", async || store.counts().await == (0, 1)).await;
}

async fn use_by_strangers_is_no_use(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let here = replica(&store, &inner).await;
    let session = Client::of(&here).with("x-user", "alice").open("2025-11-25").await;
    let stranger = session.client.with("x-user", "mallory");
    eventually("the session is idle, whatever strangers do", async || {
        assert_eq!(stranger.call("echo", json!({})).await.status, 404);
        store.counts().await == (0, 1)
    })
    .await;
    throughout(Duration::from_millis(500), "strangers revive nothing", async || {
        assert_eq!(stranger.get().await.status, 404);
        store.counts().await == (0, 1)
    })
    .await;
    assert!(session.works().await);
}

async fn a_stream_open_through_an_outage_of_the_store_keeps_its_session(backend: Backend) {
    for on_return in [OnReturn::Revive, OnReturn::Reject] {
        let (store, inner) = (backend.store().await, Scripted::with_sessions());
        let here = tuned(&store, &inner, |layer| layer.on_return(on_return)).await;
        let there = tuned(&store, &inner, |layer| layer.on_return(on_return)).await;
        let session = Client::of(&here).open("2025-11-25").await;
        let mut listening = session.listen().await;
        assert!(listening.next().await.is_some());
        store.set_down(true);
        let outage = throughout(IDLE * 2, "the store's state is unknown, and that is said", async || {
            session.at(&there).call("echo", json!({})).await.status == 503
        });
        outage.await;
        assert_eq!(inner.running(), 1, "the stream is still open");
        store.set_down(false);
        throughout(IDLE, "the session works", async || session.works().await).await;
        assert!(session.at(&there).works().await);
        assert_eq!(store.counts().await, (1, 0));
    }
}
