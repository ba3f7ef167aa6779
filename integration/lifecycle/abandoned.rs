//! A client that opens a session and never confirms that it got the answer: gone after a while, and it keeps nobody out.

use std::time::{Duration, Instant};

use futures::future::join_all;
use http::StatusCode;
use serde_json::json;
use tower::Layer;
use tower_mcp_sessions::{EndReason, RateLimits, SessionKey};

use crate::harness::backend::{Backend, SharedStore, on_every_backend};
use crate::harness::eventually::{eventually, throughout};
use crate::harness::inner::Scripted;
use crate::harness::raw::{Client, SESSION_ID, Session, VERSION, initialize, notification};
use crate::harness::replica::{Replica, layer};

on_every_backend! {
    who_only_pings_is_gone_and_who_says_anything_else_stays,
    a_flood_of_abandoned_sessions_keeps_nobody_out_for_long,
}

const REVISION: &str = "2025-11-25";
const CONFIRMED_WITHIN: Duration = Duration::from_secs(1);

/// Two replicas whose clients have to hurry.
async fn hasty(store: &SharedStore, cap: Option<u64>) -> [(Replica, Scripted); 2] {
    let limits = RateLimits { live_sessions: cap, ..RateLimits::off() };
    let start = async || {
        let inner = Scripted::with_sessions();
        let sessions = layer(store).handshake_timeout(CONFIRMED_WITHIN).rate_limits(limits.clone()).build();
        (Replica::start(sessions.layer(inner.clone())).await, inner)
    };
    [start().await, start().await]
}

/// A session whose client has said nothing yet.
async fn open(client: &Client) -> Session {
    let id = client.post(&initialize(REVISION)).await.whole().await.session_id().expect("a session");
    Session { client: client.with(SESSION_ID, &id).with(VERSION, REVISION), id }
}

fn key_of(session: &Session) -> SessionKey {
    SessionKey::parse(session.key()).expect("a key")
}

async fn who_only_pings_is_gone_and_who_says_anything_else_stays(backend: Backend) {
    let store = backend.store().await;
    let [(here, inner), (there, other_inner)] = hasty(&store, None).await;
    let client = Client::of(&here);
    let began = Instant::now();
    let (silent, pings) = (open(&client).await, open(&client).await);
    let (notified, called, elsewhere) = (open(&client).await, open(&client).await, open(&client).await);
    let listened = open(&client).await;
    let initialized = notification("notifications/initialized");
    assert_eq!(notified.client.post(&initialized).await.status, StatusCode::ACCEPTED);
    assert_eq!(called.call("tools/list", json!({})).await.status, StatusCode::OK);
    drop(listened.listen().await);
    assert_eq!(elsewhere.at(&there).client.post(&initialized).await.status, StatusCode::ACCEPTED);

    let mut answered = 0;
    eventually("who only pings is gone", async || {
        for session in [&pings, &pings.at(&there)] {
            answered += usize::from(session.call("ping", json!({})).await.status == StatusCode::OK);
        }
        store.ended().len() >= 2
    })
    .await;
    assert!(began.elapsed() >= CONFIRMED_WITHIN, "not before its time");
    assert!(answered > 2, "until then it was served");
    let mut ended = store.ended();
    let mut expected = [&silent, &pings].map(|session| (key_of(session), EndReason::Abandoned));
    ended.sort_by_key(|(key, _)| *key);
    expected.sort_by_key(|(key, _)| *key);
    assert_eq!(ended, expected);
    for session in [&silent, &pings, &silent.at(&there), &pings.at(&there)] {
        eventually("it is unknown", async || session.status().await == StatusCode::NOT_FOUND).await;
    }
    let sessions = [&notified, &called, &listened, &elsewhere];
    throughout(CONFIRMED_WITHIN * 2, "the others stay", async || store.ended().len() == 2).await;
    for session in sessions.into_iter().flat_map(|session| [session.clone(), session.at(&there)]) {
        assert!(session.works().await);
    }
    assert_eq!(store.counts().await, (4, 0));
    let both = || (inner.sessions(), other_inner.sessions());
    eventually("no inner session is left of the abandoned ones", async || both() == (4, 4)).await;
}

async fn a_flood_of_abandoned_sessions_keeps_nobody_out_for_long(backend: Backend) {
    const CAP: u64 = 40;
    let store = backend.store().await;
    let [(here, inner), (there, _)] = hasty(&store, Some(CAP)).await;
    let resident = Client::of(&here).open(REVISION).await;
    let (flood, newcomer) = (Client::of(&here), Client::of(&there));
    let message = initialize(REVISION);
    let answers = join_all((0..100).map(|_| flood.post(&message))).await;
    let with = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((with(StatusCode::OK), with(StatusCode::SERVICE_UNAVAILABLE)), (39, 61));
    assert!(resident.works().await, "who is in stays in");
    eventually("there is room again", async || newcomer.post(&message).await.status == StatusCode::OK).await;
    eventually("nothing is left of the flood", async || store.counts().await.0 <= 2 && inner.sessions() == 1).await;
    assert!(store.ended().iter().all(|(_, reason)| *reason == EndReason::Abandoned));
    assert!(resident.works().await);
}
