//! `initialize`: only a successful answer of a revision with sessions opens one, in whatever form it comes.

use http::StatusCode;
use http::header::ACCEPT;
use serde_json::json;

use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::inner::{OnInitialize, Scripted};
use crate::harness::raw::{Client, LEGACY, SESSION_ID, initialize, request};
use crate::harness::replica::Replica;

on_every_backend! {
    initialize_opens_a_session_in_every_revision_with_json_and_with_sse,
    an_initialize_answer_with_other_messages_stays_a_stream,
    an_initialize_is_answered_in_the_form_that_was_asked_for,
    a_refused_initialize_passes_through_and_opens_nothing,
    an_answer_to_initialize_opens_a_session_or_is_an_honest_502,
    a_handshake_replayed_to_a_server_with_odd_habits_works_or_is_an_honest_502,
    a_modern_result_opens_no_session,
    an_initialize_with_an_old_id_opens_a_new_session_and_leaves_the_old_one_alone,
    the_layer_reads_its_inner_services_answers_and_asks_for_them_uncompressed,
    a_session_less_inner_service_gets_sessions_and_sees_no_ids,
}

async fn initialize_opens_a_session_in_every_revision_with_json_and_with_sse(backend: Backend) {
    for inner in [Scripted::with_sessions(), Scripted::without_sessions()] {
        let store = backend.store().await;
        let replica = Replica::of(&store, &inner).await;
        for form in [OnInitialize::Json, OnInitialize::Sse, OnInitialize::SseWithLength] {
            inner.script(|script| script.initialize = form);
            for version in LEGACY {
                let answer = Client::of(&replica).post(&initialize(version)).await.whole().await;
                assert_eq!(answer.status, StatusCode::OK, "{form:?}");
                assert_eq!(answer.headers["content-type"], "application/json", "{form:?}");
                assert_eq!(answer.json()["result"]["protocolVersion"], version);
                let id = answer.session_id().expect("a session id");
                assert_eq!(id.len(), 43);
                assert!(Client::of(&replica).open(version).await.works().await);
            }
        }
        assert_eq!(store.counts().await, (18, 0));
    }
}

async fn an_initialize_answer_with_other_messages_stays_a_stream(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    inner.script(|script| script.initialize = OnInitialize::SseAfterNotification);
    let answer = Client::of(&replica).post(&initialize("2025-11-25")).await;
    assert!(answer.headers.contains_key(SESSION_ID));
    let messages = answer.events().rest().await;
    assert_eq!(messages[0]["params"]["data"], "starting");
    assert_eq!(messages[1]["result"]["protocolVersion"], "2025-11-25");
    assert_eq!((messages.len(), store.counts().await), (2, (1, 0)));
}

async fn an_initialize_is_answered_in_the_form_that_was_asked_for(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    for form in [OnInitialize::Json, OnInitialize::Sse, OnInitialize::SseWithLength, OnInitialize::Error] {
        inner.script(|script| script.initialize = form);
        let opens = form != OnInitialize::Error;
        for (accept, is_stream) in [
            (Some("text/event-stream"), true),
            (Some("Text/Event-Stream"), true),
            (Some("text/*"), true),
            (Some("text/event-stream, application/json"), false),
            (Some("application/json"), false),
            (Some("*/*"), false),
            (Some("text/event-stream, */*;q=0.1"), false),
            (None, false),
        ] {
            let client = Client::of(&replica);
            let client = accept.map_or_else(|| client.without(ACCEPT), |accept| client.with("accept", accept));
            let answer = client.post(&initialize("2025-11-25")).await;
            assert_eq!(answer.headers.contains_key(SESSION_ID), opens, "{form:?} {accept:?}");
            let message = if is_stream {
                assert_eq!(answer.headers["x-accel-buffering"], "no");
                let mut messages = answer.events().rest().await;
                assert_eq!(messages.len(), 1, "{form:?} {accept:?}");
                messages.remove(0)
            } else {
                assert_eq!(answer.headers["content-type"], "application/json", "{form:?} {accept:?}");
                answer.whole().await.json()
            };
            assert_eq!(message["id"], 0);
            assert_eq!(message["result"]["protocolVersion"].is_string(), opens, "{form:?} {accept:?}");
        }
    }
}

async fn a_refused_initialize_passes_through_and_opens_nothing(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    for (refusal, status) in [
        (OnInitialize::Error, 200),
        (OnInitialize::Refuse(StatusCode::BAD_REQUEST), 400),
        (OnInitialize::Refuse(StatusCode::FORBIDDEN), 403),
        (OnInitialize::Refuse(StatusCode::NOT_FOUND), 404),
        (OnInitialize::Refuse(StatusCode::ACCEPTED), 502),
        (OnInitialize::Refuse(StatusCode::OK), 502),
        (OnInitialize::BrokenOff, 502),
        (OnInitialize::Panic, 500),
    ] {
        inner.script(|script| script.initialize = refusal);
        let answer = Client::of(&replica).post(&initialize("2025-11-25")).await.whole().await;
        assert_eq!((answer.status.as_u16(), answer.session_id()), (status, None), "{refusal:?}");
        match refusal {
            OnInitialize::Refuse(status) if !status.is_success() => assert_eq!(answer.text(), "no"),
            _ => assert_eq!((answer.json()["id"].clone(), answer.json()["error"]["code"].is_i64()), (json!(0), true)),
        }
        eventually(&format!("no inner session after {refusal:?}"), async || inner.sessions() == 0).await;
    }
    assert_eq!(store.counts().await, (0, 0));
}

const ACCEPTED: &str =
    r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"VERSION","capabilities":{},"serverInfo":{}}}"#;
const WITH_BOM: &str = "\u{feff}{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"VERSION\"}}";
const STREAM_WITH_BOM: &str =
    "\u{feff}data: {\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"VERSION\"}}\n\n";
const FOREIGN_FIRST: &str = "data: {\"jsonrpc\":\"2.0\",\"id\":99,\"result\":{\"protocolVersion\":\"2025-03-26\"}}\n\n\
    data: {\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"VERSION\"}}\n\n";

/// Never half a session: 200 without an id, and then a client that nobody knows.
async fn an_answer_to_initialize_opens_a_session_or_is_an_honest_502(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let says = |media, encoding, body| OnInitialize::Says(200, media, encoding, body);
    let (json, events) = ("application/json", "text/event-stream");
    for (opened, good) in [
        says(json, "", WITH_BOM),
        says(events, "identity", STREAM_WITH_BOM),
        says(events, "", FOREIGN_FIRST),
        says("text/html", "", ACCEPTED),
        OnInitialize::Says(201, json, "", ACCEPTED),
    ]
    .into_iter()
    .enumerate()
    {
        inner.script(|script| script.initialize = good);
        let answer = Client::of(&replica).post(&initialize("2025-11-25")).await.whole().await;
        assert_eq!((answer.status, answer.json()["id"].clone()), (StatusCode::OK, json!(0)), "{good:?}");
        assert_eq!(
            (&answer.headers["content-type"], store.counts().await),
            (&json.parse().unwrap(), (opened as u64 + 1, 0))
        );
        assert!(
            Client::of(&replica).with(SESSION_ID, &answer.session_id().unwrap()).call("echo", json!({})).await.status
                == 200
        );
    }
    let (before, live) = (store.counts().await, inner.sessions());
    for (bad, text) in [
        (says(json, "gzip", ACCEPTED), "compressed"),
        (says(events, "br", ACCEPTED), "compressed"),
        (says("text/html", "", "<html>"), "no readable answer"),
        (says(json, "", ""), "no readable answer"),
        (says(json, "", r#"{"jsonrpc":"2.0","id":0,"result":{}}"#), "no readable answer"),
        (says(json, "", r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"latest"}}"#), "no readable answer"),
        (says(json, "", r#"{"jsonrpc":"2.0","id":5,"result":{"protocolVersion":"2025-11-25"}}"#), "no readable answer"),
        (says(events, "", "data: {\"id\":5,\"result\":{}}\n\n"), "no readable answer"),
        (OnInitialize::Says(204, json, "", ""), "no readable answer"),
    ] {
        inner.script(|script| script.initialize = bad);
        let answer = Client::of(&replica).post(&initialize("2025-11-25")).await.whole().await;
        assert_eq!((answer.status, answer.session_id()), (StatusCode::BAD_GATEWAY, None), "{bad:?}");
        let error = answer.json();
        assert!(error["error"]["message"].as_str().unwrap().contains(text), "{bad:?}: {error}");
        assert_eq!(error["id"], 0);
        eventually("the inner session is closed", async || inner.sessions() == live).await;
    }
    assert_eq!(store.counts().await, before);
}

async fn a_handshake_replayed_to_a_server_with_odd_habits_works_or_is_an_honest_502(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let here = Replica::of(&store, &inner).await;
    let session = Client::of(&here).open("2025-11-25").await;
    for body in [WITH_BOM, ACCEPTED] {
        inner.script(|script| script.initialize = OnInitialize::Says(200, "application/json", "", body));
        inner.forget();
        assert!(session.works().await);
    }
    inner.script(|script| script.initialize = OnInitialize::Says(200, "application/json", "gzip", ACCEPTED));
    inner.forget();
    let answer = session.call("echo", json!({})).await;
    assert_eq!((answer.status, answer.json()["id"].clone()), (StatusCode::BAD_GATEWAY, json!(1)));
    assert!(answer.text().contains("compressed"), "{}", answer.text());
    inner.script(|script| script.initialize = OnInitialize::Json);
    assert!(session.works().await, "the session lives on");
}

async fn a_modern_result_opens_no_session(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    inner.script(|script| script.initialize = OnInitialize::Modern);
    let answer = Client::of(&replica).post(&initialize("2026-07-28")).await.whole().await;
    assert_eq!(answer.json()["result"]["protocolVersion"], "2026-07-28");
    assert_eq!(answer.session_id(), None);
    assert_eq!(store.counts().await, (0, 0));
    eventually("the inner service's session is closed", async || inner.sessions() == 0).await;
}

async fn an_initialize_with_an_old_id_opens_a_new_session_and_leaves_the_old_one_alone(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let live = Client::of(&replica).open("2025-06-18").await;
    let stale = Client::of(&replica).open("2025-06-18").await;
    stale.delete().await;
    for old in [live.id.as_str(), &stale.id, "garbage", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let answer = Client::of(&replica).with(SESSION_ID, old).post(&initialize("2025-11-25")).await.whole().await;
        let id = answer.session_id().expect("a new session");
        assert_ne!(id, old);
        assert_eq!(inner.last("initialize").header("mcp-session-id"), None);
    }
    assert!(live.works().await);
    assert_eq!(stale.status().await, StatusCode::NOT_FOUND);
    assert_eq!(store.counts().await, (5, 0));
}

/// A compressed answer could not be read: neither the handshake's result nor where one event ends.
async fn the_layer_reads_its_inner_services_answers_and_asks_for_them_uncompressed(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let here = Replica::of(&store, &inner).await;
    let there = Replica::of(&store, &inner).await;
    let session = Client::of(&here).with("accept-encoding", "gzip, br").open("2025-11-25").await;
    assert!(session.at(&there).works().await);
    session.client.post(&request(1, "echo", json!({}))).await;
    for seen in inner.seen() {
        assert_eq!(seen.header("accept-encoding"), None, "{}", seen.method());
    }
}

async fn a_session_less_inner_service_gets_sessions_and_sees_no_ids(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::without_sessions());
    let here = Replica::of(&store, &inner).await;
    let there = Replica::of(&store, &inner).await;
    let session = Client::of(&here).open("2025-11-25").await;
    assert!(session.works().await && session.at(&there).works().await);
    assert_eq!(session.at(&there).delete().await.status, StatusCode::NO_CONTENT);
    assert_eq!(session.at(&there).status().await, StatusCode::NOT_FOUND);
    assert_eq!(inner.asked("initialize"), 1, "there is nothing to replay");
    assert!(inner.seen().iter().all(|seen| seen.header("mcp-session-id").is_none()));
    assert!(inner.seen().iter().all(|seen| seen.http_method != http::Method::DELETE));
}
