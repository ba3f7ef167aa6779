//! An inner service that does not know a session, or knows it no more, is told the handshake again: once, and wholly.

use futures::future::join_all;
use http::StatusCode;
use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::{eventually, soon};
use crate::harness::inner::{OnInitialize, OnUnknownId, Scripted};
use crate::harness::raw::Client;
use crate::harness::replica::Replica;

on_every_backend! {
    many_first_requests_at_once_share_one_handshake,
    a_replay_is_marked_and_carries_the_clients_own_handshake,
    a_service_that_forgot_is_told_again_and_the_request_repeated_once,
    many_requests_that_find_their_session_forgotten_share_one_replay,
    a_service_that_keeps_forgetting_never_makes_a_live_session_look_gone,
    a_404_of_a_session_less_service_is_no_404_to_the_client,
    a_refused_replay_leaves_nothing_half_open_and_the_next_request_works,
    a_replay_cut_midway_leaves_nothing_half_open_and_the_next_request_works,
    a_session_that_ends_while_it_is_replayed_is_not_kept_by_the_inner_service,
    a_service_whose_replay_takes_until_after_the_client_listens_is_heard,
    ending_a_session_closes_it_in_every_inner_service,
}

const CROWD: usize = 100;

async fn many_first_requests_at_once_share_one_handshake(backend: Backend) {
    let store = backend.store().await;
    let (inner, fresh) = (Scripted::with_sessions(), Scripted::with_sessions());
    let here = Replica::of(&store, &inner).await;
    let there = Replica::of(&store, &fresh).await;
    let session = Client::of(&here).open("2025-11-25").await.at(&there);
    let crowd: JoinSet<bool> = (0..CROWD).map(|_| session.clone()).map(async |session| session.works().await).collect();
    assert!(crowd.join_all().await.into_iter().all(|worked| worked));
    assert_eq!((fresh.asked("initialize"), fresh.asked("notifications/initialized")), (1, 1));
    assert_eq!((fresh.asked("echo"), fresh.sessions()), (CROWD, 1));
}

async fn a_replay_is_marked_and_carries_the_clients_own_handshake(backend: Backend) {
    let store = backend.store().await;
    let (inner, fresh) = (Scripted::with_sessions(), Scripted::with_sessions());
    let here = Replica::of(&store, &inner).await;
    let there = Replica::of(&store, &fresh).await;
    let client = Client::of(&here).with("x-user", "alice").with("authorization", "Bearer first");
    let session = client.open("2025-06-18").await;
    let first = inner.last("initialize");
    assert!(!first.replayed && first.session.is_none());
    let rotated = session.client.at(&there).with("authorization", "Bearer second");
    assert_eq!(rotated.call("echo", json!({ "text": "hello" })).await.status, StatusCode::OK);

    let replayed = fresh.last("initialize");
    assert_eq!(replayed.body, first.body);
    let confirmed = fresh.last("notifications/initialized");
    for seen in [&replayed, &confirmed] {
        assert!(seen.replayed);
        assert_eq!(seen.session.as_ref().expect("the session").key().as_str(), session.key());
        assert_eq!(seen.header("authorization"), Some("Bearer second"), "the credentials are the current request's");
        assert_eq!(seen.header("host"), Some(there.address.to_string().as_str()));
    }
    assert_eq!(replayed.header("mcp-session-id"), None);
    assert_eq!(confirmed.header("mcp-protocol-version"), Some("2025-06-18"));
    let call = fresh.last("echo");
    let seen = call.session.expect("the session");
    assert!(!call.replayed);
    assert_eq!((seen.client().name.as_str(), seen.client().version.as_str()), ("raw", "1.2.3"));
    assert_eq!(seen.principal().map(|principal| principal.as_str()), Some("alice"));
    assert_eq!(seen.protocol_version().as_str(), "2025-06-18");
}

async fn a_service_that_forgot_is_told_again_and_the_request_repeated_once(backend: Backend) {
    for unknown_id in [OnUnknownId::PlainText, OnUnknownId::JsonRpcError] {
        let (store, inner) = (backend.store().await, Scripted::with_sessions());
        inner.script(|script| script.unknown_id = unknown_id);
        let replica = Replica::of(&store, &inner).await;
        let session = Client::of(&replica).open("2025-11-25").await;
        assert!(session.works().await);
        inner.forget();
        assert!(session.works().await);
        assert_eq!((inner.asked("initialize"), inner.asked("echo")), (2, 3), "one call was repeated, once");
        inner.forget();
        let mut listening = session.listen().await;
        assert_eq!(listening.next().await.unwrap()["params"]["data"], "listening");
        assert_eq!(inner.asked("initialize"), 3);
    }
}

async fn many_requests_that_find_their_session_forgotten_share_one_replay(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let session = Client::of(&replica).open("2025-11-25").await;
    inner.forget();
    let answers = join_all((0..CROWD).map(|_| session.works())).await;
    assert!(answers.into_iter().all(|worked| worked));
    assert_eq!((inner.asked("ping"), inner.asked("initialize")), (1, 2));
    eventually("one inner session remains", async || inner.sessions() == 1).await;
}

async fn a_service_that_keeps_forgetting_never_makes_a_live_session_look_gone(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let session = Client::of(&replica).open("2025-11-25").await;
    inner.script(|script| (script.amnesia, script.unknown_id) = (true, OnUnknownId::JsonRpcError));
    // `notifications/initialized` finds the id unknown as well, so the replay itself fails.
    assert_eq!(session.status().await, StatusCode::BAD_GATEWAY);
    assert_eq!(session.client.get().await.status, StatusCode::BAD_GATEWAY);
    inner.script(|script| script.amnesia = false);
    assert!(session.works().await);
    let pings = inner.asked("ping");
    let error = session.call("not-found", json!({})).await;
    assert_eq!((error.status, &error.json()["error"]["message"]), (StatusCode::OK, &json!("no such thing")));
    assert_eq!(inner.asked("not-found"), 1, "it answers the very request");
    let handshakes = inner.asked("initialize");
    for _ in 0..7 {
        let words = session.call("not-found-in-words", json!({})).await;
        assert_eq!((words.status, words.json()["error"]["code"].is_i64()), (StatusCode::BAD_GATEWAY, true));
    }
    assert_eq!((inner.asked("not-found-in-words"), inner.asked("initialize")), (7, handshakes), "nothing is repeated");
    assert_eq!(inner.asked("ping"), pings + 5, "it is asked a few times whether the session lives, and then no more");
    assert!(session.works().await);
    assert_eq!(store.counts().await, (1, 0));
    eventually("one inner session remains", async || inner.sessions() == 1).await;
}

async fn a_404_of_a_session_less_service_is_no_404_to_the_client(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::without_sessions());
    let replica = Replica::of(&store, &inner).await;
    let session = Client::of(&replica).open("2025-11-25").await;
    let error = session.call("not-found", json!({})).await;
    assert_eq!((error.status, &error.json()["error"]["message"]), (StatusCode::OK, &json!("no such thing")));
    assert_eq!((inner.asked("not-found"), inner.asked("initialize")), (1, 1));
}

async fn a_refused_replay_leaves_nothing_half_open_and_the_next_request_works(backend: Backend) {
    let store = backend.store().await;
    let (inner, fresh) = (Scripted::with_sessions(), Scripted::with_sessions());
    let here = Replica::of(&store, &inner).await;
    let there = Replica::of(&store, &fresh).await;
    let session = Client::of(&here).open("2025-11-25").await.at(&there);
    for (refusal, seen_by_client) in [
        (OnInitialize::Error, 502),
        (OnInitialize::Refuse(StatusCode::NOT_FOUND), 502),
        (OnInitialize::Refuse(StatusCode::BAD_REQUEST), 502),
        (OnInitialize::Refuse(StatusCode::INTERNAL_SERVER_ERROR), 502),
        (OnInitialize::BrokenOff, 502),
        (OnInitialize::Panic, 500),
        (OnInitialize::Refuse(StatusCode::UNAUTHORIZED), 401),
        (OnInitialize::Refuse(StatusCode::FORBIDDEN), 403),
        (OnInitialize::Refuse(StatusCode::TOO_MANY_REQUESTS), 429),
        (OnInitialize::Refuse(StatusCode::SERVICE_UNAVAILABLE), 503),
    ] {
        fresh.script(|script| script.initialize = refusal);
        let answer = session.call("echo", json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.session_id()), (seen_by_client, None), "{refusal:?}");
        eventually(&format!("nothing is half-open after {refusal:?}"), async || fresh.sessions() == 0).await;
    }
    assert_eq!(fresh.asked("echo"), 0);
    fresh.script(|script| script.initialize = OnInitialize::Sse);
    assert!(session.works().await);
    assert_eq!(fresh.sessions(), 1);
}

async fn a_replay_cut_midway_leaves_nothing_half_open_and_the_next_request_works(backend: Backend) {
    let store = backend.store().await;
    let (inner, fresh) = (Scripted::with_sessions(), Scripted::with_sessions());
    let here = Replica::of(&store, &inner).await;
    let there = Replica::of(&store, &fresh).await;
    let session = Client::of(&here).open("2025-11-25").await.at(&there);
    for (status, seen_by_client) in [(500, 502), (400, 502), (404, 502), (503, 503)] {
        fresh.script(|script| script.initialized = StatusCode::from_u16(status).unwrap());
        let answer = session.call("echo", json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.session_id()), (seen_by_client, None));
        eventually("nothing is half-open", async || fresh.sessions() == 0).await;
    }
    fresh.script(|script| (script.initialized, script.initialized_panics) = (StatusCode::OK, true));
    assert_eq!(session.status().await, StatusCode::INTERNAL_SERVER_ERROR);
    eventually("nothing is half-open after a panic", async || fresh.sessions() == 0).await;
    assert_eq!(fresh.asked("echo"), 0);
    fresh.script(|script| script.initialized_panics = false);
    assert!(session.works().await);
    assert_eq!(fresh.sessions(), 1);
}

async fn a_session_that_ends_while_it_is_replayed_is_not_kept_by_the_inner_service(backend: Backend) {
    let store = backend.store().await;
    let (inner, fresh) = (Scripted::with_sessions(), Scripted::with_sessions());
    let here = Replica::of(&store, &inner).await;
    let there = Replica::of(&store, &fresh).await;
    let session = Client::of(&here).open("2025-11-25").await;
    fresh.script(|script| script.initialize = OnInitialize::Wait);
    let late = tokio::spawn({
        let session = session.at(&there);
        async move { session.status().await }
    });
    eventually("the handshake is being replayed", async || fresh.asked("initialize") == 1).await;
    assert_eq!(session.delete().await.status, StatusCode::NO_CONTENT);
    fresh.let_one_go();
    late.await.expect("an answer of some kind");
    eventually("neither service keeps the session", async || inner.sessions() + fresh.sessions() == 0).await;
    assert_eq!(store.counts().await, (0, 0));
}

async fn a_service_whose_replay_takes_until_after_the_client_listens_is_heard(backend: Backend) {
    let store = backend.store().await;
    let (inner, fresh) = (Scripted::with_sessions(), Scripted::with_sessions());
    let here = Replica::of(&store, &inner).await;
    let there = Replica::of(&store, &fresh).await;
    let session = Client::of(&here).open("2025-11-25").await;
    fresh.script(|script| script.initialize = OnInitialize::Wait);
    let elsewhere = session.at(&there);
    let served = tokio::spawn(async move { elsewhere.works().await });
    eventually("the handshake is being replayed", async || fresh.asked("initialize") == 1).await;
    let mut listening = session.listen().await;
    assert_eq!(listening.next().await.unwrap()["params"]["data"], "listening", "said here");

    fresh.let_one_go();

    assert!(served.await.unwrap());
    let said = soon("what is said there", listening.next()).await;
    assert_eq!(said.unwrap()["params"]["data"], "listening");
}

async fn ending_a_session_closes_it_in_every_inner_service(backend: Backend) {
    let store = backend.store().await;
    let inners = [Scripted::with_sessions(), Scripted::with_sessions(), Scripted::with_sessions()];
    let mut replicas = Vec::new();
    for inner in &inners {
        replicas.push(Replica::of(&store, inner).await);
    }
    let session = Client::of(&replicas[0]).open("2025-11-25").await;
    assert!(session.at(&replicas[1]).works().await);
    // The third replica has never seen the session it ends.
    assert_eq!(session.at(&replicas[2]).delete().await.status, StatusCode::NO_CONTENT);
    for inner in &inners {
        eventually("the inner session is closed", async || inner.sessions() == 0).await;
    }
    assert_eq!(inners[2].seen().len(), 0, "there was nothing to close");
}
