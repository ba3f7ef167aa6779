//! Which requests adopt, and in what state a session may be for it.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tower_mcp_sessions::OnReturn;

use super::{CACHED_FOR, assert_foreign, of, statuses};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::{eventually, within};
use crate::harness::raw::{Client, LAST_EVENT_ID, VERSION, initialize, modern, notification, request};
use crate::harness::trio::Trio;

on_every_backend! {
    whatever_carries_its_id_adopts_a_session,
    a_delete_adopts_what_it_ends,
    what_is_refused_or_of_no_session_adopts_nothing,
    an_idle_session_is_adopted_and_comes_back,
    an_idle_session_that_may_not_come_back_is_adopted_by_nobody,
    an_ended_session_is_adopted_by_nobody,
}

async fn whatever_carries_its_id_adopts_a_session(backend: Backend) {
    let trio = Trio::start(backend).await;
    let answer = json!({ "jsonrpc": "2.0", "id": "never asked", "result": {} });
    let progress = json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "progressToken": 1, "progress": 1 } });
    let messages: [(Value, u16); 6] = [
        (request(1, "echo", json!({})), 200),
        (request(1, "ping", json!({})), 200),
        (notification("notifications/cancelled"), 202),
        (notification("notifications/initialized"), 202),
        (progress, 202),
        (answer, 400),
    ];
    for (number, (message, status)) in messages.iter().enumerate() {
        let anonymous = trio.open().await;
        let alice = of(&anonymous, "alice").at(&trio.replicas[number % 3]);
        assert_eq!(alice.client.post(message).await.status, *status, "{message}");
        assert_foreign(&trio, &anonymous, "alice").await;
    }
    for cursor in [None, Some("no cursor")] {
        let anonymous = trio.open().await;
        let client = of(&anonymous, "alice").at(&trio.replicas[1]).client;
        let listening = cursor.map_or(client.clone(), |cursor| client.with(LAST_EVENT_ID, cursor)).get().await;
        assert_eq!(listening.status, if cursor.is_some() { 400 } else { 200 });
        assert_foreign(&trio, &anonymous, "alice").await;
    }
}

async fn a_delete_adopts_what_it_ends(backend: Backend) {
    let trio = Trio::start(backend).await;
    let everywhere = trio.open_everywhere().await;
    assert_eq!(of(&everywhere[1], "alice").delete().await.status, StatusCode::NO_CONTENT);
    for session in [everywhere[0].clone(), of(&everywhere[0], "alice")] {
        within(CACHED_FOR, "it is gone", async || statuses(&trio, &session).await == [404; 3]).await;
    }
    eventually("its inner sessions are closed", async || trio.inners.iter().all(|inner| inner.sessions() == 0)).await;
    assert_eq!(trio.store.counts().await, (0, 0));
}

async fn what_is_refused_or_of_no_session_adopts_nothing(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [anonymous, ..] = trio.open_everywhere().await;
    let alice = of(&anonymous, "alice");
    for (client, method, body) in [
        (alice.client.with(VERSION, "2025-01-01"), Method::POST, request(1, "echo", json!({})).to_string()),
        (alice.client.with(VERSION, "2026-07-28"), Method::POST, request(1, "echo", json!({})).to_string()),
        (alice.client.without(VERSION), Method::POST, modern("echo").to_string()),
        (alice.client.clone(), Method::POST, "no JSON".to_owned()),
        (alice.client.clone(), Method::POST, json!([request(1, "echo", json!({}))]).to_string()),
        (alice.client.clone(), Method::POST, initialize("2025-11-25").to_string()),
        (alice.client.clone(), Method::PUT, String::new()),
        (alice.client.clone(), Method::OPTIONS, String::new()),
        (alice.client.with(VERSION, "2025-01-01"), Method::GET, String::new()),
        (alice.client.with(VERSION, "2025-01-01"), Method::DELETE, String::new()),
        (alice.client.with("origin", "https://evil.example"), Method::DELETE, String::new()),
    ] {
        client.send(method.clone(), body.clone()).await;
        assert_eq!(statuses(&trio, &anonymous).await, [200; 3], "{method} {body}");
    }
    // Nor does who knows its name alone.
    let forged = format!("{}{}", anonymous.key(), "A".repeat(27));
    let guess = Client::of(&trio.replicas[1]).with("x-user", "mallory").with("mcp-session-id", &forged);
    assert_eq!(guess.call("echo", json!({})).await.status, StatusCode::NOT_FOUND);
    assert_eq!(statuses(&trio, &anonymous).await, [200; 3]);
}

async fn an_idle_session_is_adopted_and_comes_back(backend: Backend) {
    let trio = Trio::with(backend, |builder| builder.idle_timeout(Duration::from_secs(1))).await;
    let anonymous = trio.open().await;
    eventually("the session is idle", async || trio.store.counts().await == (0, 1)).await;
    assert!(of(&anonymous, "alice").at(&trio.replicas[2]).works().await);
    assert_eq!(trio.store.counts().await, (1, 0), "it is active again");
    assert_foreign(&trio, &anonymous, "alice").await;
}

async fn an_idle_session_that_may_not_come_back_is_adopted_by_nobody(backend: Backend) {
    let brief = |builder: tower_mcp_sessions::SessionLayerBuilder| {
        builder.idle_timeout(Duration::from_secs(1)).on_return(OnReturn::Reject)
    };
    let trio = Trio::with(backend, brief).await;
    let anonymous = trio.open().await;
    eventually("the session is idle", async || trio.store.counts().await == (0, 1)).await;
    assert_eq!(statuses(&trio, &of(&anonymous, "alice")).await, [404; 3]);
    assert_eq!(trio.store.counts().await, (0, 1));
}

async fn an_ended_session_is_adopted_by_nobody(backend: Backend) {
    let trio = Trio::start(backend).await;
    let anonymous = trio.open().await;
    assert_eq!(anonymous.delete().await.status, StatusCode::NO_CONTENT);
    assert_eq!(statuses(&trio, &of(&anonymous, "alice")).await, [404; 3]);
    assert_eq!(trio.store.counts().await, (0, 0));
}
