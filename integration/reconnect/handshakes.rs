//! What becomes of the handshake: an `initialize` brings a new one, the API keeps the old one, and nobody behind the layer
//! ever sees what was shown at the door.

use http::StatusCode;
use serde_json::{Value, json};
use tower_mcp_sessions::store::SessionStore;
use tower_mcp_sessions::{RateLimits, SessionKey};

use super::{Door, Holder, NONCE_MEMBER, TOKEN_MEMBER, introduce, keys, trio};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::inner::{OnInitialize, Scripted};
use crate::harness::raw::{Client, RECONNECT_NONCE, RECONNECT_TOKEN, SESSION_ID, VERSION, initialize};
use crate::harness::trio::Trio;

on_every_backend! {
    an_initialize_brings_a_new_client_and_version,
    the_api_keeps_the_handshake_and_what_shaped_the_session,
    neither_the_inner_service_nor_the_store_sees_token_or_nonce,
    an_inner_service_that_refuses_leaves_the_token_unspent,
    without_keys_a_token_means_nothing,
}

async fn an_initialize_brings_a_new_client_and_version(backend: Backend) {
    let trio = trio(backend).await;
    let old = Holder::open(&trio.client()).await;
    old.session.call("logging/setLevel", json!({ "level": "debug" })).await;
    let client = trio.client().at(&trio.replicas[1]);

    let answer = client.with(RECONNECT_TOKEN, &old.token).post(&introduce("second", "2025-06-18")).await.whole().await;

    let (id, _) = Door::Header.renewed(&answer);
    assert_eq!(answer.json()["result"]["protocolVersion"], "2025-06-18");
    // A client that leaves the version out is taken for one of the new handshake's.
    let renewed = client.with(SESSION_ID, &id);
    for (replica, inner) in trio.replicas.iter().zip(&trio.inners) {
        assert_eq!(renewed.at(replica).call("echo", json!({})).await.status, StatusCode::OK);
        let seen = inner.last("echo");
        assert_eq!(seen.header(VERSION.as_str()), Some("2025-06-18"));
        let client = seen.session.as_ref().expect("a session").client().clone();
        assert_eq!((&*client.name, &*client.version), ("second", "2"));
    }
    let replayed = trio.inners[2].last("initialize");
    assert!(replayed.replayed, "the third replica was told the new handshake");
    assert_eq!(serde_json::from_slice::<Value>(&replayed.body).unwrap(), introduce("second", "2025-06-18"));
    assert_eq!(trio.inners[2].asked("logging/setLevel"), 0, "what shaped the session before is not repeated");
    assert_eq!(renewed.with(VERSION, "2025-11-25").call("echo", json!({})).await.status, StatusCode::OK);
}

async fn the_api_keeps_the_handshake_and_what_shaped_the_session(backend: Backend) {
    let trio = trio(backend).await;
    let old = Holder::open(&trio.client()).await;
    old.session.call("logging/setLevel", json!({ "level": "debug" })).await;
    let asked = trio.inners[0].last("initialize").body;

    let new = old.reconnect(Door::Api, &trio.replicas[1]).await;

    assert_eq!(trio.inners[1].seen().len(), 0, "the inner service is not asked for that");
    assert_eq!(new.statuses(&trio).await, [200; 3]);
    for inner in &trio.inners {
        assert_eq!(inner.last("initialize").body, asked);
        let level = inner.last("logging/setLevel");
        assert_eq!(serde_json::from_slice::<Value>(&level.body).unwrap()["params"]["level"], "debug");
        assert_eq!(&*inner.last("echo").session.expect("a session").client().name, "raw");
    }
    eventually("one session each, and none of the old holder's", async || {
        trio.inners.iter().all(|inner| inner.sessions() == 1)
    })
    .await;
}

async fn neither_the_inner_service_nor_the_store_sees_token_or_nonce(backend: Backend) {
    let trio = trio(backend).await;
    let first = Holder::open(&trio.client()).await;
    let key = SessionKey::parse(first.session.key()).expect("a key");
    let (nonce, another) = ("canary-of-a-nonce", "canary-of-another-nonce");

    // In headers and in `_meta`, where they belong and where they do not.
    let client = first.stranger(&trio.replicas[1]).with(RECONNECT_NONCE, nonce);
    let second = Holder::accepted(&client, Door::Header, &Door::Header.knock(&client, "", &first.token).await).await;
    let mut message = initialize("2025-11-25");
    message["params"]["_meta"] = json!({ TOKEN_MEMBER: second.token, NONCE_MEMBER: another, "kept": [1] });
    let client = first.stranger(&trio.replicas[2]);
    let answer = client.post(&message).await.whole().await;
    let third = Holder::accepted(&client, Door::Meta, &answer).await;
    let talkative = third.session.client.with(RECONNECT_TOKEN, &third.token).with(RECONNECT_NONCE, nonce);
    for replica in &trio.replicas {
        let talkative = talkative.at(replica);
        assert_eq!(talkative.call("echo", json!({})).await.status, StatusCode::OK);
        drop(talkative.get().await);
    }
    let blueprint = trio.store.blueprint(&key).await.expect("the store answers").expect("it lives");
    talkative.delete().await;
    eventually("the inner sessions are closed", async || trio.inners.iter().all(|inner| inner.sessions() == 0)).await;

    let secrets = [&first.token, &second.token, &third.token, nonce, another];
    let handshake = String::from_utf8(blueprint.handshake.expect("a handshake").to_vec()).unwrap();
    let of_inners = trio.inners.iter().flat_map(Scripted::seen).map(|seen| {
        assert!(!seen.headers.contains_key(RECONNECT_TOKEN) && !seen.headers.contains_key(RECONNECT_NONCE));
        format!("{:?} {}", seen.headers, String::from_utf8_lossy(&seen.body))
    });
    for seen in of_inners.chain([handshake.clone()]) {
        assert!(!secrets.iter().any(|secret| seen.contains(&**secret)) && !seen.contains("reconnect"), "{seen}");
    }
    assert_eq!(serde_json::from_str::<Value>(&handshake).unwrap()["params"]["_meta"], json!({ "kept": [1] }));
}

async fn an_inner_service_that_refuses_leaves_the_token_unspent(backend: Backend) {
    let trio = trio(backend).await;
    let holder = Holder::open(&trio.client()).await;
    let [_, refusing, _] = &trio.inners;
    for how in [
        OnInitialize::Refuse(StatusCode::INTERNAL_SERVER_ERROR),
        OnInitialize::Refuse(StatusCode::UNAUTHORIZED),
        OnInitialize::Error,
        OnInitialize::Modern,
        OnInitialize::BrokenOff,
        OnInitialize::Panic,
    ] {
        refusing.script(|script| script.initialize = how);
        let refused = holder.knock(Door::Header, &trio.replicas[1]).await;
        assert_eq!(refused.session_id(), None, "{how:?}: {}", refused.text());
        assert_eq!(refused.reconnect_token(), None, "{how:?}");
        assert_eq!(holder.statuses(&trio).await[0], 200, "the session is still its holder's: {how:?}");
    }
    refusing.script(|script| script.initialize = OnInitialize::Json);
    let back = holder.reconnect(Door::Header, &trio.replicas[1]).await;
    assert_eq!(back.statuses(&trio).await, [200; 3]);
    assert_eq!(trio.store.counts().await, (1, 0));
    eventually("nothing half-open is left", async || trio.inners.iter().all(|inner| inner.sessions() <= 1)).await;
}

async fn without_keys_a_token_means_nothing(backend: Backend) {
    let with_keys = Trio::with_monitor(backend, |at, builder| match at {
        0 => builder.reconnect(keys()).rate_limits(RateLimits::off()),
        _ => builder.rate_limits(RateLimits::off()),
    });
    let trio = with_keys.await;
    let holder = Holder::open(&trio.client()).await;
    let elsewhere = &trio.replicas[1];
    for token in [&holder.token, "nonsense"] {
        let answer = Door::Header.knock(&Client::of(elsewhere), "", token).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let id = answer.session_id().expect("a session");
        assert_ne!(id[..16], *holder.session.key(), "a new one");
        assert_eq!(answer.reconnect_token(), None);
        assert!(!String::from_utf8_lossy(&trio.inners[1].last("initialize").body).contains("reconnect"));
        assert!(!trio.inners[1].last("initialize").headers.contains_key(RECONNECT_TOKEN));
    }
    let refused = holder.knock(Door::Api, elsewhere).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    assert!(refused.json()["error"].as_str().expect("a text").contains("reconnect(keys)"), "{}", refused.text());
    assert_eq!(holder.statuses(&trio).await, [200; 3]);
}
