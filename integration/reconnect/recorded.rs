//! A refused reconnect is an event that whoever watches sees, with the session it was about; a flood of them is not.

use http::StatusCode;
use tower_mcp_sessions::store::{AgeLimits, EventLog, Survey};
use tower_mcp_sessions::{Change, ReconnectDoor, ReconnectOutcome, SessionEvent};

use super::{Door, Holder, REVISION, trio};
use crate::harness::backend::{Backend, SharedStore, on_every_backend};
use crate::harness::eventually::{eventually, found_within};
use crate::harness::raw::{VERSION, modern};

on_every_backend! {
    a_refusal_is_recorded_with_its_session,
    a_flood_of_refusals_leaves_room_for_what_happens,
    modern_requests_are_counted,
}

async fn refusals(store: &SharedStore) -> Vec<SessionEvent> {
    let slice = store.events(0, 0, 10_000).await.expect("the log can be read");
    slice.events.into_iter().filter(|event| matches!(event.change, Change::ReconnectRefused { .. })).collect()
}

async fn a_refusal_is_recorded_with_its_session(backend: Backend) {
    let trio = trio(backend).await;
    let holder = Holder::open(&trio.client()).await;
    let taken = holder.knock(Door::Header, &trio.replicas[1]).await;
    assert_eq!(taken.status, StatusCode::OK);
    assert_eq!(holder.knock(Door::Api, &trio.replicas[2]).await.status, StatusCode::CONFLICT);

    let limit = std::time::Duration::from_secs(10);
    let event = found_within("the refusal is recorded", limit, async || refusals(&trio.store).await.pop()).await;
    let (outcome, door) = (ReconnectOutcome::TokenMismatch, ReconnectDoor::Api);
    assert_eq!(event.change, Change::ReconnectRefused { outcome, door });
    assert_eq!(event.session.map(|session| session.key.to_string()), Some(holder.session.id[..16].to_owned()));
    assert_eq!(refusals(&trio.store).await.len(), 1, "it is recorded once");
}

async fn a_flood_of_refusals_leaves_room_for_what_happens(backend: Backend) {
    let trio = trio(backend).await;
    let client = trio.client();
    let knocks = (0..300).map(|_| Door::Header.knock(&client, "", "no token"));
    let answers = futures::future::join_all(knocks).await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::FORBIDDEN));
    let session = client.open(REVISION).await;
    assert!(session.delete().await.status.is_success());
    eventually("some refusals are recorded", async || !refusals(&trio.store).await.is_empty()).await;
    // The layer tells the store all it has to tell before it leaves.
    trio.layers[0].shutdown().await;
    let recorded = refusals(&trio.store).await.len();
    assert!((20..300).contains(&recorded), "{recorded} of 300 refusals are recorded");
}

async fn modern_requests_are_counted(backend: Backend) {
    let trio = trio(backend).await;
    for replica in &trio.replicas {
        let client = trio.client().at(replica);
        assert_eq!(client.with(VERSION, "2026-07-28").post(&modern("tools/list")).await.status, StatusCode::OK);
        assert_eq!(client.post(&modern("tools/list")).await.status, StatusCode::OK);
        client.send(http::Method::OPTIONS, "").await;
    }
    let counted = async || {
        let vitals = trio.store.vitals(&AgeLimits::default()).await.expect("vitals can be read");
        vitals.history.iter().map(|bucket| bucket.modern).sum::<u64>()
    };
    eventually("all six are counted", async || counted().await == 6).await;
    for layer in &trio.layers {
        layer.shutdown().await;
    }
    assert_eq!(counted().await, 6, "each once");
}
