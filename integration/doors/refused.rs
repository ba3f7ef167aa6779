//! What whoever is not let in is told: the same in both eras, and nothing happens but that.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Method, StatusCode};
use serde_json::json;
use tower::Layer;
use tower_mcp_sessions::{RateLimits, ReconnectKeys};

use super::{BANNED, CHALLENGE, Era, PANIC, Stage, UNKNOWN, USER, hook};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::inner::Scripted;
use crate::harness::raw::{Client, LAST_EVENT_ID, RECONNECT_TOKEN, SESSION_ID, Whole};
use crate::harness::replica::{Replica, layer};

on_every_backend! {
    whom_the_hook_refuses_gets_its_answer_and_nothing_else,
    a_panic_of_the_hook_lets_nobody_in_and_costs_no_connection,
    other_hooks_that_panic_cost_no_connection_either,
    nobody_is_let_in_where_a_principal_is_required,
    where_a_principal_is_required_its_owner_is_served,
    the_hook_is_asked_once_for_each_request,
    a_foreign_id_and_an_unknown_one_are_the_same_in_both_eras,
    the_monitors_routes_ask_the_hook_for_themselves,
}

/// Everything a client can send to `/mcp` that is no preflight, in every era.
async fn everything(client: &Client) -> Vec<Whole> {
    let mut answers = Vec::new();
    for era in Era::ALL {
        let client = era.client(client);
        for method in ["initialize", "echo"] {
            answers.push(client.post(&era.message(method)).await.whole().await);
        }
        answers.push(client.send(Method::POST, "no JSON").await.whole().await);
        for method in [Method::GET, Method::DELETE, Method::PUT] {
            answers.push(client.send(method, "").await.whole().await);
        }
        answers.push(client.with(LAST_EVENT_ID, "0").get().await.whole().await);
    }
    answers
}

/// Expects that everything is refused alike, whatever id goes with it, and that it changes nothing.
async fn assert_closed(stage: &Stage, client: &Client, status: StatusCode, text: &str) -> Whole {
    let session = Client::of(&stage.open).with(USER, "alice").open("2025-11-25").await;
    let (seen, mut answers) = (stage.inner.seen().len(), Vec::new());
    // A replica that begins to hear the bus looks once for what it has missed; a request that asks would do so each time.
    eventually("nobody else is asked", async || {
        let commands = stage.store.commands();
        answers = everything(client).await;
        answers.extend(everything(&client.with(SESSION_ID, &session.id)).await);
        stage.store.commands() == commands
    })
    .await;
    assert_eq!(stage.inner.seen().len(), seen);
    for answer in &answers {
        assert_eq!(answer.fingerprint(), answers[0].fingerprint());
    }
    let answer = answers.swap_remove(0);
    assert_eq!((answer.status, answer.session_id()), (status, None));
    assert_eq!(answer.headers["cache-control"], "no-store");
    let json = answer.json();
    assert_eq!((&json["jsonrpc"], &json["id"]), (&json!("2.0"), &json!(null)));
    assert!(json["error"]["code"].is_i64() && json["error"]["message"].as_str().unwrap().contains(text), "{json}");
    assert!(session.works().await);
    answer
}

async fn whom_the_hook_refuses_gets_its_answer_and_nothing_else(backend: Backend) {
    let stage = Stage::of(backend).await;
    for replica in [&stage.open, &stage.strict] {
        let client = Client::of(replica);
        let banned = client.with(USER, BANNED);
        let refused = assert_closed(&stage, &banned, StatusCode::FORBIDDEN, "This account is closed").await;
        assert!(!refused.headers.contains_key("www-authenticate"));
        let unknown = client.with(USER, UNKNOWN);
        let challenged = assert_closed(&stage, &unknown, StatusCode::UNAUTHORIZED, "Log in first").await;
        assert_eq!(challenged.headers["www-authenticate"], CHALLENGE);
        let unreadable = client.with_bytes("x-user", b"Jos\xe9");
        assert_closed(&stage, &unreadable, StatusCode::UNAUTHORIZED, "Say it in ASCII").await;
    }
}

async fn a_panic_of_the_hook_lets_nobody_in_and_costs_no_connection(backend: Backend) {
    let stage = Stage::of(backend).await;
    let client = Client::of(&stage.open).with(USER, PANIC);
    assert_closed(&stage, &client, StatusCode::INTERNAL_SERVER_ERROR, "The server failed").await;
    let mut connection = client.connect().await;
    let message = Era::Legacy.message("initialize").to_string();
    for _ in 0..3 {
        let answer = connection.exchange(Method::POST, message.clone()).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    }
    connection.set(USER, "alice");
    assert_eq!(connection.exchange(Method::POST, message).await.status, StatusCode::OK);
}

async fn other_hooks_that_panic_cost_no_connection_either(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::without_sessions());
    let keys = ReconnectKeys::new("first", b"of the integration tests, 32 bytes at least").expect("a good key");
    let builder = layer(&store).reconnect(keys).rate_limits(RateLimits::off());
    let builder = builder.peer(|_| panic!("told to, in the hook for peers"));
    let builder = builder.principal_label(|_| panic!("told to, in the hook for labels"));
    let builder = builder.on_reconnect(|_| panic!("told to, in the hook for attempts"));
    let replica = Replica::start(builder.build().layer(inner.clone())).await;
    let mut connection = Client::of(&replica).with(USER, "alice").connect().await;
    let message = Era::Legacy.message("initialize").to_string();
    for (token, status) in [("", StatusCode::OK), ("no token", StatusCode::FORBIDDEN), ("", StatusCode::OK)] {
        if !token.is_empty() {
            connection.set(RECONNECT_TOKEN, token);
        }
        let opened = connection.exchange(Method::POST, message.clone()).await;
        assert_eq!(opened.status, status);
        connection.unset(&RECONNECT_TOKEN);
    }
}

async fn nobody_is_let_in_where_a_principal_is_required(backend: Backend) {
    let stage = Stage::of(backend).await;
    let nobody = Client::of(&stage.strict);
    assert_closed(&stage, &nobody, StatusCode::UNAUTHORIZED, "log in").await;
    let seen = stage.inner.seen().len();
    nobody.send(Method::OPTIONS, "").await;
    assert_eq!(stage.inner.seen().len(), seen + 1, "a preflight carries no credentials");
}

async fn where_a_principal_is_required_its_owner_is_served(backend: Backend) {
    let stage = Stage::of(backend).await;
    let alice = Client::of(&stage.strict).with(USER, "alice");
    let session = alice.open("2025-11-25").await;
    assert!(session.works().await && session.at(&stage.open).works().await);
    for era in [Era::Header, Era::Body] {
        assert_eq!(era.client(&alice).post(&era.message("echo")).await.status, StatusCode::OK, "{era:?}");
    }
}

async fn the_hook_is_asked_once_for_each_request(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let asked = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&asked);
    let counting = layer(&store).principal(move |parts| {
        count.fetch_add(1, Ordering::SeqCst);
        hook(parts)
    });
    let replica = Replica::start(counting.build().layer(inner.clone())).await;
    let client = Client::of(&replica).with(USER, "alice");
    let session = client.open("2025-11-25").await;
    assert_eq!(asked.swap(0, Ordering::SeqCst), 2, "initialize and notifications/initialized");
    let mut sent = 0;
    for era in Era::ALL {
        let client = era.client(&session.client);
        client.post(&era.message("initialize")).await.whole().await;
        client.post(&era.message("echo")).await.whole().await;
        drop(client.get().await);
        client.send(Method::PUT, "").await;
        client.send(Method::OPTIONS, "").await;
        sent += 4;
    }
    session.delete().await;
    assert_eq!(asked.load(Ordering::SeqCst), sent + 1, "no preflight is asked who it is");
}

async fn a_foreign_id_and_an_unknown_one_are_the_same_in_both_eras(backend: Backend) {
    let stage = Stage::of(backend).await;
    let session = Client::of(&stage.open).with(USER, "alice").open("2025-11-25").await;
    let (mallory, nobody) = (Client::of(&stage.open).with(USER, "mallory"), Client::of(&stage.open));
    let unknown = "A".repeat(43);
    for (client, era) in [mallory, nobody].iter().flat_map(|client| Era::ALL.map(|era| (client, era))) {
        let client = era.client(client);
        for (method, message) in [
            (Method::POST, era.message("echo").to_string()),
            (Method::GET, String::new()),
            (Method::DELETE, String::new()),
        ] {
            let told = async |id: &str| {
                let answer = client.with(SESSION_ID, id).send(method.clone(), message.clone()).await;
                match answer.headers.get("content-type").is_some_and(|kind| kind == "text/event-stream") {
                    true => (answer.status, answer.headers["content-type"].as_bytes().to_vec()),
                    false => (answer.status, answer.whole().await.body.to_vec()),
                }
            };
            assert_eq!(told(&session.id).await, told(&unknown).await, "{era:?} {method}");
        }
    }
    assert!(session.works().await);
}

async fn the_monitors_routes_ask_the_hook_for_themselves(backend: Backend) {
    let stage = Stage::of(backend).await;
    let alice = Client::of(&stage.open).with(USER, "alice");
    let opened = alice.post(&Era::Legacy.message("initialize")).await.whole().await;
    let (id, token) = (opened.session_id().unwrap(), opened.reconnect_token().unwrap());
    let path = |route: &str| format!("/api/mcp/sessions/{}{route}", &id[..16]);
    let knock = async |client: &Client| {
        let client = client.with(SESSION_ID, &id);
        [
            client.at_path(path("/reconnect")).post(&json!({ "token": token })).await.whole().await,
            client.at_path(path("/token")).get().await.whole().await,
            client.at_path(path("")).delete().await.whole().await,
        ]
    };
    for (user, status, text) in [(BANNED, 403, "This account is closed"), (PANIC, 500, "The server failed")] {
        for refused in knock(&Client::of(&stage.open).with(USER, user)).await {
            assert_eq!(refused.status, status, "{}", refused.text());
            let json = refused.json();
            assert_eq!(json["success"], false);
            assert!(json["error"].as_str().unwrap().contains(text), "{json}");
        }
    }
    for refused in knock(&Client::of(&stage.open).with(USER, UNKNOWN)).await {
        assert_eq!(
            (refused.status, &refused.headers["www-authenticate"]),
            (StatusCode::UNAUTHORIZED, &CHALLENGE.parse().unwrap())
        );
    }
    let strict = Client::of(&stage.strict).with(SESSION_ID, &id);
    let reconnect = strict.at_path(path("/reconnect")).post(&json!({ "token": token })).await.status;
    let token = strict.at_path(path("/token")).get().await.status;
    assert_eq!([reconnect, token], [StatusCode::UNAUTHORIZED; 2], "a client's routes take no nobody there");
    let holder = alice.with(SESSION_ID, &id);
    assert_eq!(holder.post(&Era::Legacy.message("echo")).await.status, StatusCode::OK, "nothing has happened to it");
    // An operator is known to the monitor's access, and need not be a principal.
    let ended = Client::of(&stage.strict).at_path(path("")).delete().await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
}
