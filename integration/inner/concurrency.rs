//! An inner service that takes one request at a time: nothing in the layer may hold its turn while it waits for another.

use futures::future::join_all;
use http::StatusCode;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, ServiceBuilder};
use tower_mcp_sessions::Freshness;

use crate::harness::backend::{Backend, SharedStore, on_every_backend};
use crate::harness::eventually::{eventually, soon};
use crate::harness::inner::{OnInitialize, Scripted};
use crate::harness::raw::{Client, initialize, request};
use crate::harness::replica::{Replica, layer};

on_every_backend! {
    one_request_at_a_time_is_enough_for_a_whole_session,
    a_replay_with_several_waiting_does_not_deadlock,
    a_renewal_with_several_waiting_does_not_deadlock,
    a_client_that_stalls_its_body_holds_nobody_up,
}

async fn narrow(store: &SharedStore, inner: &Scripted) -> Replica {
    let service = ServiceBuilder::new().layer(ConcurrencyLimitLayer::new(1)).service(inner.clone());
    Replica::start(layer(store).freshness(Freshness::Strict).build().layer(service)).await
}

async fn one_request_at_a_time_is_enough_for_a_whole_session(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = narrow(&store, &inner).await;
    let client = Client::of(&replica);
    let sessions = soon("the sessions are open", join_all((0..10).map(|_| client.open("2025-11-25")))).await;
    let listening = soon("they listen", join_all(sessions.iter().map(|session| session.listen()))).await;
    assert!(
        soon("they are served", join_all(sessions.iter().map(|session| session.works()))).await.iter().all(|ok| *ok)
    );
    soon("they end", join_all(sessions.iter().map(|session| session.delete()))).await;
    soon("their streams end", join_all(listening.into_iter().map(|stream| stream.rest()))).await;
    eventually("their inner sessions are closed", async || inner.sessions() == 0).await;
}

async fn a_replay_with_several_waiting_does_not_deadlock(backend: Backend) {
    let store = backend.store().await;
    let (inner, fresh) = (Scripted::with_sessions(), Scripted::with_sessions());
    let here = Replica::of(&store, &inner).await;
    let there = narrow(&store, &fresh).await;
    let session = Client::of(&here).open("2025-11-25").await.at(&there);
    fresh.script(|script| script.initialize = OnInitialize::Wait);
    let crowd = tokio::spawn(async move { join_all((0..20).map(|_| session.works())).await });
    eventually("the handshake is being replayed", async || fresh.asked("initialize") == 1).await;
    fresh.let_one_go();
    assert!(soon("everybody is served", crowd).await.unwrap().into_iter().all(|worked| worked));
    assert_eq!((fresh.asked("initialize"), fresh.asked("echo")), (1, 20));
}

async fn a_renewal_with_several_waiting_does_not_deadlock(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = narrow(&store, &inner).await;
    let session = Client::of(&replica).open("2025-11-25").await;
    inner.forget();
    let answers = soon("everybody is served", join_all((0..20).map(|_| session.works()))).await;
    assert!(answers.into_iter().all(|worked| worked));
    assert_eq!(inner.asked("initialize"), 2);
}

async fn a_client_that_stalls_its_body_holds_nobody_up(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = narrow(&store, &inner).await;
    let session = Client::of(&replica).open("2025-11-25").await;
    let mut stalled = session.client.dial().await;
    let body = request(1, "echo", json!({})).to_string();
    let (sent, kept) = body.split_at(10);
    let head = format!("{}content-length: {}\r\n\r\n{sent}", session.client.head("POST"), body.len());
    stalled.write_all(head.as_bytes()).await.unwrap();
    // Another client's handshake passes only if the stalled one does not hold the service's only turn.
    let other = soon("another client is served", Client::of(&replica).post(&initialize("2025-11-25"))).await;
    assert_eq!(other.status, StatusCode::OK);
    assert!(soon("so is the next", session.works()).await);
    stalled.write_all(kept.as_bytes()).await.unwrap();
    eventually("the stalled call arrives", async || inner.asked("echo") == 2).await;
}
