//! An inner session that is minted is bound or closed, whatever it was minted for: none is forgotten.

use http::StatusCode;
use serde_json::json;
use tower::Layer;
use tower_mcp_sessions::RateLimits;
use tower_mcp_sessions::store::Rate;

use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::inner::{OnInitialize, Scripted};
use crate::harness::raw::{Client, SESSION_ID, VERSION, initialize, modern};
use crate::harness::replica::{Replica, layer};

on_every_backend! {
    a_session_minted_under_a_modern_header_is_closed_at_once,
    who_has_sessions_minted_under_a_modern_header_is_limited_like_who_opens_them,
    what_is_minted_inside_is_bound_or_closed,
    a_session_minted_for_a_modern_client_that_has_left_is_closed,
}

/// Sessions that were minted and neither closed nor bound.
async fn assert_forgotten_none(inner: &Scripted, bound: usize) {
    eventually("what was minted is bound or closed", async || inner.sessions() == bound).await;
}

async fn a_session_minted_under_a_modern_header_is_closed_at_once(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let client = Client::of(&replica).with(VERSION, "2026-07-28").with("authorization", "t1");
    for form in [OnInitialize::Json, OnInitialize::Sse, OnInitialize::Refuse(StatusCode::BAD_REQUEST)] {
        inner.script(|script| script.initialize = form);
        let answer = client.post(&initialize("2025-11-25")).await;
        assert!(!answer.headers.contains_key(SESSION_ID), "{form:?}");
    }
    assert_forgotten_none(&inner, 0).await;
    assert_eq!((inner.minted(), store.counts().await), (3, (0, 0)));
    let farewells: Vec<_> = inner.seen().into_iter().filter(|seen| seen.http_method == "DELETE").collect();
    assert_eq!(farewells.len(), 3);
    assert!(farewells.iter().all(|seen| seen.header("authorization") == Some("t1")), "with the same head");
}

async fn who_has_sessions_minted_under_a_modern_header_is_limited_like_who_opens_them(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let rate = Rate { most: 2, per: std::time::Duration::from_secs(600) };
    let limits = RateLimits { opens_per_principal: Some(rate), ..RateLimits::off() };
    let replica = Replica::start(layer(&store).rate_limits(limits).build().layer(inner.clone())).await;
    let client = Client::of(&replica).with("x-user", "alice");
    let modern_client = client.with(VERSION, "2026-07-28");
    for _ in 0..2 {
        assert_eq!(modern_client.post(&initialize("2025-11-25")).await.status, StatusCode::OK);
    }
    assert_eq!(modern_client.post(&initialize("2025-11-25")).await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(client.post(&initialize("2025-11-25")).await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(modern_client.post(&modern("tools/list")).await.status, StatusCode::OK, "modern calls are no openings");
    assert_forgotten_none(&inner, 0).await;
}

async fn what_is_minted_inside_is_bound_or_closed(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let client = Client::of(&replica);
    for form in
        [OnInitialize::Json, OnInitialize::Sse, OnInitialize::Modern, OnInitialize::Error, OnInitialize::BrokenOff]
    {
        inner.script(|script| script.initialize = form);
        client.post(&initialize("2025-11-25")).await.whole().await;
    }
    inner.script(|script| script.initialize = OnInitialize::Json);
    let session = client.open("2025-11-25").await;
    assert!(session.works().await);
    assert_forgotten_none(&inner, 3).await; // by JSON, by SSE, and the last one
    inner.script(|script| script.answers_with_another_id = true);
    let answer = session.call("echo", json!({})).await;
    assert_eq!((answer.status, answer.session_id()), (StatusCode::OK, None));
    assert_forgotten_none(&inner, 3).await;
    assert_eq!(inner.minted(), 7);
}

async fn a_session_minted_for_a_modern_client_that_has_left_is_closed(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    inner.script(|script| script.initialize = OnInitialize::Wait);
    for round in 1..=5 {
        let client = Client::of(&replica).with(VERSION, "2026-07-28");
        let leaving = tokio::spawn(async move { client.post(&initialize("2025-11-25")).await });
        eventually("initialize has reached the inner service", async || inner.asked("initialize") == round).await;
        leaving.abort();
        assert!(leaving.await.is_err(), "it left before its answer");
        inner.let_one_go();
        eventually("the inner service has answered", async || inner.minted() == round as u64).await;
        assert_forgotten_none(&inner, 0).await;
    }
}
