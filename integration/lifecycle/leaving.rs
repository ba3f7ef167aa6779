//! A replica that leaves: listeners are sent elsewhere, calls finish, sessions live on.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tower::Layer;
use tower_mcp_sessions::SessionLayer;
use tower_mcp_sessions::store::{AgeLimits, RedisStore, Survey};

use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::{eventually, soon};
use crate::harness::gate::{Gate, Held};
use crate::harness::inner::Scripted;
use crate::harness::raw::{Client, LEGACY, modern, request};
use crate::harness::redis::RedisServer;
use crate::harness::replica::{Replica, layer};

on_every_backend! {
    a_replica_that_leaves_sends_listeners_elsewhere_and_finishes_its_calls,
    a_replica_that_dies_takes_no_session_with_it,
}

async fn a_replica_that_leaves_sends_listeners_elsewhere_and_finishes_its_calls(backend: Backend) {
    let store = backend.store().await;
    let (inner, other) = (Scripted::with_sessions(), Scripted::with_sessions());
    let leaving = layer(&store).build();
    let here = Replica::start(leaving.layer(inner.clone())).await;
    let there = Replica::of(&store, &other).await;
    let session = Client::of(&here).open("2025-11-25").await;
    let mut call = session.stream("stream").await;
    assert!(call.next().await.is_some());
    let mut listeners = Vec::new();
    for version in LEGACY {
        let mut listening = Client::of(&here).open(version).await.listen().await;
        assert!(listening.next().await.is_some());
        listeners.push((version, listening));
    }
    leaving.close_streams();
    for (version, mut listening) in listeners {
        if version == "2025-11-25" {
            assert_eq!(listening.next_raw().await.as_deref(), Some("retry: 500\n\n"));
        }
        assert_eq!(listening.next_raw().await, None, "{version}");
    }
    assert_eq!(session.client.get().await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(session.works().await, "calls are served until the connection closes");
    inner.let_one_go();
    assert_eq!(call.rest().await[0]["result"]["done"], true);
    soon("the layer shuts down", leaving.shutdown()).await;
    eventually("its inner sessions are closed", async || inner.sessions() == 0).await;
    let elsewhere = session.at(&there);
    assert!(elsewhere.works().await);
    assert!(elsewhere.listen().await.next().await.is_some());
    assert_eq!((store.counts().await, store.ended()), ((4, 0), vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_replica_has_to_tell_arrives_before_it_leaves() {
    let redis = RedisServer::start();
    let gate = Gate::to(redis.port()).await;
    let store = RedisStore::builder(gate.url()).response_timeout(Duration::from_secs(10)).connect().await;
    let leaving = SessionLayer::builder(store.expect("Redis answers")).build();
    let here = Replica::start(leaving.layer(Scripted::with_sessions())).await;
    gate.hold(&["gated"], Held::Command);
    for number in 0..10 {
        let mut message = modern("echo");
        let client = json!({ "name": format!("gated {number}"), "version": "1" });
        message["params"]["_meta"]["io.modelcontextprotocol/clientInfo"] = client;
        assert_eq!(Client::of(&here).post(&message).await.status, StatusCode::OK);
    }
    soon("the store is being told", gate.is_holding()).await;
    tokio::join!(leaving.shutdown(), gate.deliver());
    let store = RedisStore::connect(redis.url()).await.expect("Redis answers");
    let vitals = store.vitals(&AgeLimits::default()).await.expect("vitals can be read");
    let told: Vec<u64> = vitals.clients.iter().map(|client| client.modern).collect();
    assert_eq!(told, [1; 10]);
}

async fn a_replica_that_dies_takes_no_session_with_it(backend: Backend) {
    let store = backend.store().await;
    let (inner, other) = (Scripted::with_sessions(), Scripted::with_sessions());
    let here = Replica::of(&store, &inner).await;
    let there = Replica::of(&store, &other).await;
    let session = Client::of(&here).open("2025-11-25").await;
    let mut call = session.stream("stream").await;
    assert!(call.next().await.is_some());
    drop(here);
    assert_eq!(call.next().await, None, "the client sees its stream break");
    let elsewhere = session.at(&there);
    assert!(elsewhere.works().await);
    let answer = elsewhere.client.post(&request(2, "echo", json!({}))).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(other.asked("stream"), 0, "nothing that was dispatched is run twice");
}
