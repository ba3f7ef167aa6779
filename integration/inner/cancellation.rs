//! Who leaves whom: a legacy client that goes away cancels nothing, a modern one cancels its call, and a client that goes
//! before it has its session leaves none behind.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};
use tower_mcp_sessions::EndReason;

use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::{eventually, soon};
use crate::harness::in_flight::InFlight;
use crate::harness::inner::{OnInitialize, Scripted};
use crate::harness::raw::{Client, initialize, modern, request};
use crate::harness::replica::{Replica, layer};

on_every_backend! {
    a_client_that_leaves_during_initialize_leaves_no_session_anywhere,
    a_request_dropped_at_any_poll_leaves_nothing_behind,
    a_client_that_leaves_with_its_answer_on_the_way_leaves_no_session,
    a_legacy_call_goes_on_when_its_client_leaves_before_the_head,
    a_legacy_stream_is_carried_to_its_end_when_its_client_leaves,
    a_legacy_json_answer_is_carried_to_its_end_when_its_client_leaves,
    a_modern_call_is_dropped_when_its_client_leaves,
    a_modern_stream_is_dropped_when_its_client_leaves,
    a_listening_stream_is_dropped_when_its_client_leaves,
    a_service_with_sessions_is_heard_until_the_session_ends,
}

async fn a_client_that_leaves_during_initialize_leaves_no_session_anywhere(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let in_flight = Arc::<AtomicUsize>::default();
    let watched = InFlight::watch(layer(&store).build().layer(inner.clone()), Arc::clone(&in_flight));
    let replica = Replica::start(watched).await;
    inner.script(|script| script.initialize = OnInitialize::Wait);
    for round in 1..=20 {
        let client = Client::of(&replica);
        let leaving = tokio::spawn(async move { client.post(&initialize("2025-11-25")).await });
        eventually("initialize has reached the inner service", async || inner.asked("initialize") == round).await;
        leaving.abort();
        assert!(leaving.await.is_err(), "it left before its answer");
        eventually("the server has noticed", async || in_flight.load(Ordering::SeqCst) == 0).await;
        inner.let_one_go();
        eventually("the inner service has answered", async || inner.finished() == round as u64).await;
    }
    eventually("no session is in the store", async || store.counts().await == (0, 0)).await;
    eventually("no session is in the inner service", async || inner.sessions() == 0).await;
}

async fn a_request_dropped_at_any_poll_leaves_nothing_behind(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let service = layer(&store).build().layer(inner.clone());
    let mut told = 0;
    for patience in (0..20).cycle().take(400) {
        let mut answer = pin!(service.clone().oneshot(in_process(&initialize("2025-11-25"))));
        let mut is_told = false;
        for _ in 0..patience {
            // A poll that finds the answer is the client's; any other may be the last.
            if futures::poll!(&mut answer).is_ready() {
                is_told = true;
                break;
            }
            std::thread::sleep(Duration::from_micros(50));
        }
        // However slow the machine is, some are answered.
        if patience == 19 && !is_told {
            soon("an answer", answer).await.expect("no service fails");
            is_told = true;
        }
        told += u64::from(is_told);
    }
    assert!((1..400).contains(&told), "{told}: some were told their ids and some were not");
    eventually("only sessions whose clients know them remain", async || {
        (store.counts().await, inner.sessions()) == ((told, 0), told as usize)
    })
    .await;
}

async fn a_client_that_leaves_with_its_answer_on_the_way_leaves_no_session(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let service = layer(&store).build().layer(inner.clone());
    inner.script(|script| script.initialize = OnInitialize::Wait);
    let mut told = 0;
    for round in 1..=100 {
        let mut answer = Box::pin(service.clone().oneshot(in_process(&initialize("2025-11-25"))));
        eventually("initialize has reached the inner service", async || {
            assert!(futures::poll!(&mut answer).is_pending(), "nobody has answered yet");
            inner.asked("initialize") == round
        })
        .await;
        inner.let_one_go();
        if round % 2 == 0 {
            answer.await.unwrap();
            told += 1;
        } else {
            drop(answer);
            eventually("the inner service has answered", async || inner.finished() == round as u64).await;
        }
    }
    eventually("only sessions whose clients know them remain", async || {
        (store.counts().await, inner.sessions()) == ((told, 0), told as usize)
    })
    .await;
    assert_eq!(store.ended().len(), 50);
    assert!(store.ended().iter().all(|(_, reason)| *reason == EndReason::Abandoned));
}

/// A request for a service that is called without HTTP.
fn in_process(message: &Value) -> Request<Full<Bytes>> {
    Request::post("/mcp").header("host", "localhost").body(Full::new(message.to_string().into())).unwrap()
}

async fn a_legacy_call_goes_on_when_its_client_leaves_before_the_head(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let session = Client::of(&replica).open("2025-11-25").await;
    let finished = inner.finished();
    let leaving = tokio::spawn({
        let session = session.clone();
        async move { session.call("wait", json!({})).await }
    });
    eventually("the call is running", async || inner.running() == 1).await;
    leaving.abort();
    assert!(leaving.await.is_err());
    assert!(session.works().await);
    assert_eq!(inner.running(), 1, "nobody cancelled it");
    inner.let_one_go();
    eventually("the call is carried to its end", async || inner.running() == 0).await;
    assert_eq!(inner.finished(), finished + 2);
}

/// Opens an answer, lets its client leave, and expects the inner service to finish all the same.
async fn goes_on_without_its_client(backend: Backend, method: &str) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let session = Client::of(&replica).open("2025-11-25").await;
    let answer = session.client.post(&request(1, method, json!({}))).await;
    eventually("the answer has begun", async || inner.running() == 1).await;
    let finished = inner.finished();
    drop(answer);
    assert!(session.works().await);
    inner.let_one_go();
    eventually("the answer has ended", async || inner.running() == 0).await;
    assert_eq!(inner.finished(), finished + 2, "carried to its end, not dropped");
}

async fn a_legacy_stream_is_carried_to_its_end_when_its_client_leaves(backend: Backend) {
    goes_on_without_its_client(backend, "stream").await;
}

async fn a_legacy_json_answer_is_carried_to_its_end_when_its_client_leaves(backend: Backend) {
    goes_on_without_its_client(backend, "slow-body").await;
}

async fn a_modern_call_is_dropped_when_its_client_leaves(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    for client in [Client::of(&replica), Client::of(&replica).with("mcp-protocol-version", "2026-07-28")] {
        let leaving = tokio::spawn(async move { client.post(&modern("wait")).await });
        eventually("the call is running", async || inner.running() == 1).await;
        leaving.abort();
        eventually("the call is dropped", async || inner.running() == 0).await;
    }
    assert_eq!(inner.finished(), 0);
}

async fn a_modern_stream_is_dropped_when_its_client_leaves(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let mut stream = Client::of(&replica).post(&modern("stream")).await.events();
    assert_eq!(stream.next().await.unwrap()["params"]["data"], "begun");
    let (running, finished) = (inner.running(), inner.finished());
    drop(stream);
    eventually("the stream is dropped", async || inner.running() == running - 1).await;
    assert_eq!(inner.finished(), finished);
}

async fn a_listening_stream_is_dropped_when_its_client_leaves(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::without_sessions());
    let replica = Replica::of(&store, &inner).await;
    let session = Client::of(&replica).open("2025-11-25").await;
    let mut listening = session.listen().await;
    assert!(listening.next().await.is_some());
    assert_eq!(inner.running(), 1);
    drop(listening);
    eventually("the inner service's stream is dropped", async || inner.running() == 0).await;
}

/// What it says meanwhile waits in the log; the session's end, or a binding nobody uses, ends it.
async fn a_service_with_sessions_is_heard_until_the_session_ends(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let session = Client::of(&replica).open("2025-11-25").await;
    for _ in 0..2 {
        let mut listening = session.listen().await;
        assert!(listening.next_raw().await.is_some());
        drop(listening);
    }
    assert!(session.works().await);
    assert_eq!(inner.running(), 1, "one stream, whoever listens");
    session.delete().await;
    eventually("the inner service's stream is dropped", async || inner.running() == 0).await;
}
