//! The end of a session: wherever it is asked for it holds everywhere, within the cache's bound, for good.

use std::time::Duration;

use futures::future::join_all;
use http::StatusCode;
use tokio::time::Instant;
use tower_mcp_sessions::store::{Revival, SessionStore, Touch, TouchOutcome};
use tower_mcp_sessions::{EndReason, Freshness, SessionKey, SessionLayerBuilder};

use super::{IDLE, replica, tuned};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::{eventually, throughout, within};
use crate::harness::inner::Scripted;
use crate::harness::raw::Client;
use crate::harness::replica::Replica;
use crate::harness::size::size;

on_every_backend! {
    an_end_on_one_replica_holds_on_every_other_within_a_second,
    an_end_holds_at_once_where_freshness_is_strict,
    an_end_that_the_bus_never_told_holds_within_a_second_all_the_same,
    an_end_holds_at_once_while_the_bus_is_down,
    the_streams_of_an_ended_session_close_everywhere,
    a_session_ends_once_however_many_ask,
    late_touches_never_resurrect,
    requests_racing_an_end_never_resurrect,
    a_session_whose_retention_passed_while_no_replica_ran_is_gone,
}

/// How old a verdict from a cache may be.
const BOUND: Duration = Duration::from_secs(1);

async fn an_end_on_one_replica_holds_on_every_other_within_a_second(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let (here, there) = (Replica::of(&store, &inner).await, Replica::of(&store, &inner).await);
    for round in 0..size(100, 10_000) {
        let session = Client::of(&here).open("2025-11-25").await;
        assert!(session.works().await);
        if round % 2 == 0 {
            assert!(session.at(&there).works().await);
        }
        assert_eq!(session.at(&there).delete().await.status, StatusCode::NO_CONTENT);
        assert_eq!(session.at(&there).status().await, StatusCode::NOT_FOUND, "where it ended it has ended");
        within(BOUND, "the other replica knows", async || session.status().await == StatusCode::NOT_FOUND).await;
        assert_eq!(session.delete().await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(store.counts().await, (0, 0));
    eventually("the inner sessions are closed", async || inner.sessions() == 0).await;
}

async fn an_end_holds_at_once_where_freshness_is_strict(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let here = tuned(&store, &inner, |layer| layer.freshness(Freshness::Strict)).await;
    let there = tuned(&store, &inner, |layer| layer.freshness(Freshness::Strict)).await;
    for _ in 0..size(100, 10_000) {
        let session = Client::of(&here).open("2025-11-25").await;
        assert!(session.works().await);
        assert_eq!(session.at(&there).delete().await.status, StatusCode::NO_CONTENT);
        assert_eq!(session.status().await, StatusCode::NOT_FOUND);
    }
}

async fn an_end_that_the_bus_never_told_holds_within_a_second_all_the_same(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let (here, there) = (replica(&store, &inner).await, replica(&store, &inner).await);
    let session = Client::of(&here).open("2025-11-25").await;
    let (listening, call) = (session.listen().await, session.stream("stream").await);
    store.silence_bus();
    assert_eq!(session.at(&there).delete().await.status, StatusCode::NO_CONTENT);
    let ended = Instant::now();
    while session.works().await {
        assert!(ended.elapsed() < BOUND, "still served after {:?}", ended.elapsed());
    }
    listening.rest().await;
    call.rest().await;
    assert!(ended.elapsed() < BOUND, "the streams closed after {:?}", ended.elapsed());
    assert_eq!(store.counts().await, (0, 0));
}

async fn an_end_holds_at_once_while_the_bus_is_down(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    store.take_bus_down();
    let (here, there) = (Replica::of(&store, &inner).await, Replica::of(&store, &inner).await);
    for _ in 0..size(50, 5_000) {
        let session = Client::of(&here).open("2025-11-25").await;
        assert!(session.works().await);
        assert_eq!(session.at(&there).delete().await.status, StatusCode::NO_CONTENT);
        assert_eq!(session.status().await, StatusCode::NOT_FOUND, "nothing is cached that nobody would take back");
    }
}

async fn the_streams_of_an_ended_session_close_everywhere(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let (here, there) = (Replica::of(&store, &inner).await, Replica::of(&store, &inner).await);
    for ended_at in [&here, &there] {
        let session = Client::of(&here).open("2025-11-25").await;
        let bystander = Client::of(&here).open("2025-11-25").await;
        let mut streams = vec![session.listen().await, session.stream("stream").await];
        let mut others = vec![bystander.listen().await, bystander.stream("stream").await];
        for stream in streams.iter_mut().chain(&mut others) {
            assert!(stream.next().await.is_some());
        }
        assert_eq!(session.at(ended_at).delete().await.status, StatusCode::NO_CONTENT);
        let ended = Instant::now();
        join_all(streams.into_iter().map(|stream| stream.rest())).await;
        assert!(ended.elapsed() < BOUND, "{:?}", ended.elapsed());
        inner.let_one_go();
        assert_eq!(others.pop().unwrap().rest().await.len(), 1, "another session's stream goes on");
        bystander.delete().await;
    }
    eventually("nothing runs any more", async || inner.running() == 0).await;
}

async fn a_session_ends_once_however_many_ask(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let (here, there) = (Replica::of(&store, &inner).await, Replica::of(&store, &inner).await);
    let session = Client::of(&here).open("2025-11-25").await;
    let elsewhere = session.at(&there);
    let deletes = join_all((0..20).map(|turn| if turn % 2 == 0 { session.delete() } else { elsewhere.delete() })).await;
    let ended = deletes.iter().filter(|answer| answer.status == StatusCode::NO_CONTENT).count();
    let refused = deletes.iter().filter(|answer| answer.status == StatusCode::NOT_FOUND).count();
    assert_eq!((ended, refused), (1, 19));
    let reasons: Vec<_> = store.ended().into_iter().map(|(key, reason)| (key.to_string(), reason)).collect();
    assert_eq!(reasons, [(session.key().to_owned(), EndReason::ClosedByClient)]);
}

async fn late_touches_never_resurrect(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let (here, there) = (replica(&store, &inner).await, replica(&store, &inner).await);
    let session = Client::of(&here).open("2025-11-25").await;
    let key = SessionKey::parse(session.key()).unwrap();
    // Used here and not told of yet, while it ends over there.
    assert!(session.works().await);
    assert_eq!(session.at(&there).delete().await.status, StatusCode::NO_CONTENT);
    let touch = Touch { key, generation: 0, age: Duration::ZERO, confirms: false };
    assert_eq!(store.touch(&[touch, touch]).await.unwrap().outcomes, [TouchOutcome::Gone; 2]);
    assert_eq!(store.revive(&key, 0, "b-2").await.unwrap(), Revival::Gone);
    throughout(Duration::from_millis(700), "no flush brings it back", async || {
        store.counts().await == (0, 0) && session.at(&there).status().await == StatusCode::NOT_FOUND
    })
    .await;
    eventually("nor is it served here", async || session.status().await == StatusCode::NOT_FOUND).await;
    assert_eq!(store.disconnected(), []);
}

async fn requests_racing_an_end_never_resurrect(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let (here, there) = (Replica::of(&store, &inner).await, Replica::of(&store, &inner).await);
    for _ in 0..size(50, 5_000) {
        let session = Client::of(&here).open("2025-11-25").await;
        let elsewhere = session.at(&there);
        let racing = join_all((0..8).map(|turn| if turn % 2 == 0 { session.status() } else { elsewhere.status() }));
        let (statuses, deleted) = futures::future::join(racing, elsewhere.delete()).await;
        assert_eq!(deleted.status, StatusCode::NO_CONTENT);
        for status in statuses {
            assert!(matches!(status, StatusCode::OK | StatusCode::NOT_FOUND), "{status}");
        }
        for at in [&session, &elsewhere] {
            within(BOUND, "it has ended everywhere", async || at.status().await == StatusCode::NOT_FOUND).await;
        }
    }
    throughout(Duration::from_millis(600), "no session comes back", async || store.counts().await == (0, 0)).await;
    eventually("no inner session is left", async || inner.sessions() == 0).await;
}

async fn a_session_whose_retention_passed_while_no_replica_ran_is_gone(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::without_sessions());
    let short = |layer: SessionLayerBuilder| layer.idle_timeout(IDLE).expires_after(IDLE);
    let before = tuned(&store, &inner, short).await;
    let session = Client::of(&before).open("2025-11-25").await;
    let key = SessionKey::parse(session.key()).unwrap();
    drop(before);
    within(IDLE * 3, "the session's time is over", async || {
        let late = [Touch { key, generation: 0, age: IDLE * 2, confirms: false }];
        store.touch(&late).await.unwrap().outcomes == [TouchOutcome::Gone]
    })
    .await;
    let after = tuned(&store, &inner, short).await;
    assert_eq!(session.at(&after).status().await, StatusCode::NOT_FOUND);
}
