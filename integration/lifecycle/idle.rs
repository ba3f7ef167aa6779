//! Idle: noticed once, on time and never early; what a client's return does; and when retention is over.

use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;
use tower_mcp_sessions::{EndReason, OnReturn};

use super::{IDLE, replica, tuned};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::{eventually, throughout, within};
use crate::harness::inner::Scripted;
use crate::harness::raw::Client;

on_every_backend! {
    an_idle_session_is_disconnected_once_by_three_replicas_on_time,
    a_client_that_comes_back_revives_its_session,
    a_client_that_comes_back_is_a_stranger_where_returns_are_rejected,
    a_session_is_forgotten_when_its_retention_is_over,
    an_old_session_ends_however_much_it_is_used,
}

/// The promise: at most a second late.
const LATE: Duration = Duration::from_secs(1);

async fn an_idle_session_is_disconnected_once_by_three_replicas_on_time(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replicas = [replica(&store, &inner).await, replica(&store, &inner).await, replica(&store, &inner).await];
    let mut keys = Vec::new();
    for replica in replicas.iter().cycle().take(9) {
        let session = Client::of(replica).open("2025-11-25").await;
        // Every replica knows the session, and none of them may end it for the others.
        for other in &replicas {
            assert!(session.at(other).works().await);
        }
        keys.push(session.key().to_owned());
    }
    let last_use = Instant::now();
    // The oldest was last used a little earlier than the newest.
    eventually("the first is idle", async || store.counts().await.1 > 0).await;
    eventually("all are idle", async || store.counts().await == (0, 9)).await;
    assert!(last_use.elapsed() < IDLE + LATE, "late: {:?}", last_use.elapsed());
    throughout(Duration::from_millis(600), "nothing else happens", async || store.counts().await == (0, 9)).await;
    let mut reported: Vec<_> = store.disconnected().iter().map(ToString::to_string).collect();
    reported.sort();
    keys.sort();
    assert_eq!(reported, keys, "each once");
    eventually("the replicas let go of what they held for them", async || inner.sessions() == 0).await;
}

async fn a_client_that_comes_back_revives_its_session(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let (here, there) = (replica(&store, &inner).await, replica(&store, &inner).await);
    let session = Client::of(&here).open("2025-11-25").await;
    for returned_at in [&here, &there] {
        eventually("the session is idle", async || store.counts().await == (0, 1)).await;
        assert!(session.at(returned_at).works().await);
        assert_eq!(store.counts().await, (1, 0));
    }
    assert_eq!(store.disconnected().len(), 2);
    eventually("the session is idle", async || store.counts().await == (0, 1)).await;
    let mut listening = session.listen().await;
    assert!(listening.next().await.is_some());
    assert_eq!(store.counts().await, (1, 0), "listening is coming back, too");
    drop(listening);
    eventually("the session is idle", async || store.counts().await == (0, 1)).await;
    assert_eq!(session.delete().await.status, StatusCode::NO_CONTENT, "a disconnected session can be ended");
    assert_eq!(store.counts().await, (0, 0));
}

async fn a_client_that_comes_back_is_a_stranger_where_returns_are_rejected(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let rejecting = tuned(&store, &inner, |layer| layer.on_return(OnReturn::Reject)).await;
    let other = tuned(&store, &inner, |layer| layer.on_return(OnReturn::Reject)).await;
    let session = Client::of(&rejecting).open("2025-11-25").await;
    assert!(session.at(&other).works().await);
    eventually("the session is idle", async || store.counts().await == (0, 1)).await;
    let unknown = Client::of(&rejecting).with("mcp-session-id", "unknown");
    for at in [&rejecting, &other] {
        let (session, unknown) = (session.at(at), unknown.at(at));
        let answers = [session.client.get().await.whole().await, session.delete().await];
        let of_unknown = [unknown.get().await.whole().await, unknown.delete().await.whole().await];
        assert_eq!(answers.map(|answer| answer.fingerprint()), of_unknown.map(|answer| answer.fingerprint()));
        assert_eq!(session.status().await, StatusCode::NOT_FOUND);
    }
    assert_eq!(store.counts().await, (0, 1), "the session itself is kept");
}

async fn a_session_is_forgotten_when_its_retention_is_over(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let retention = IDLE + Duration::from_secs(1);
    let here = tuned(&store, &inner, |layer| layer.expires_after(retention)).await;
    let there = tuned(&store, &inner, |layer| layer.expires_after(retention)).await;
    let session = Client::of(&here).open("2025-11-25").await;
    assert!(session.at(&there).works().await);
    let last_use = Instant::now();
    eventually("the session is idle", async || store.counts().await == (0, 1)).await;
    eventually("the session has ended", async || store.counts().await == (0, 0)).await;
    assert!(last_use.elapsed() < retention + LATE, "late: {:?}", last_use.elapsed());
    assert!(last_use.elapsed() + Duration::from_millis(50) > retention, "early: {:?}", last_use.elapsed());
    for replica in [&here, &there] {
        assert_eq!(session.at(replica).status().await, StatusCode::NOT_FOUND);
    }
    let ended = store.ended();
    assert_eq!((ended.len(), ended[0].0.as_str(), ended[0].1), (1, session.key(), EndReason::Expired));
    eventually("its inner sessions are closed", async || inner.sessions() == 0).await;
}

async fn an_old_session_ends_however_much_it_is_used(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let lifetime = Duration::from_secs(2);
    let here = tuned(&store, &inner, |layer| layer.max_lifetime(lifetime)).await;
    let there = tuned(&store, &inner, |layer| layer.max_lifetime(lifetime)).await;
    let born = Instant::now();
    let session = Client::of(&here).open("2025-11-25").await;
    let listening = session.at(&there).listen().await;
    let aged = within(lifetime + LATE, "the session is old", async || {
        session.status().await == StatusCode::NOT_FOUND || session.at(&there).status().await == StatusCode::NOT_FOUND
    });
    aged.await;
    assert!(born.elapsed() >= lifetime, "early: {:?}", born.elapsed());
    for replica in [&here, &there] {
        eventually("it is gone everywhere", async || session.at(replica).status().await == StatusCode::NOT_FOUND).await;
    }
    listening.rest().await;
    assert_eq!(store.ended().into_iter().map(|(_, reason)| reason).collect::<Vec<_>>(), [EndReason::MaxLifetime]);
    assert_eq!(store.disconnected(), [], "it was in use all the time");
}
