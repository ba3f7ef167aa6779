//! A bus that loses, doubles and turns around what it tells, a Redis that goes away, and one that comes back from the past.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;
use tower_mcp_sessions::SessionLayer;
use tower_mcp_sessions::monitor::Role;

use super::dice::Dice;
use super::history::{Truth, viewers_of_a_history};
use super::socket::{Socket, types};
use super::viewer::{Transport, Viewer};
use super::{REVISION, open_trio};
use crate::harness::backend::{Backend, SharedStore, on_every_backend};
use crate::harness::eventually::{eventually, within};
use crate::harness::inner::Scripted;
use crate::harness::login::everybody_as;
use crate::harness::raw::Client;
use crate::harness::redis::RedisServer;
use crate::harness::replica::{Replica, layer};
use crate::harness::size::size;

on_every_backend! {
    what_a_silent_bus_did_not_tell_is_repaired,
    a_bus_that_loses_doubles_and_turns_around_changes_nothing,
    viewers_see_that_the_store_is_away_and_back,
    viewers_are_told_of_activity_that_a_failed_look_left_out,
}

/// The hub compares with the store every 5 s; the rest is for a machine with much else to do.
const REPAIRED_WITHIN: Duration = Duration::from_secs(8);

async fn what_a_silent_bus_did_not_tell_is_repaired(backend: Backend) {
    let trio = open_trio(backend).await;
    let mut sockets = Vec::new();
    for replica in &trio.replicas {
        let mut socket = Socket::hello(replica).await;
        let cursor = socket.update().await["to"].clone();
        sockets.push((socket, cursor));
    }
    trio.store.silence_bus();
    let session = trio.open().await;
    session.delete().await;
    for (mut socket, mut cursor) in sockets {
        let mut told = Vec::new();
        let repaired = async {
            while told.len() < 2 {
                let update = socket.update().await;
                assert_eq!((&update["mode"], &update["from"]), (&json!("delta"), &cursor));
                cursor = update["to"].clone();
                told.extend(types(&update).iter().map(ToString::to_string).filter(|name| name != "session_updated"));
            }
        };
        tokio::time::timeout(REPAIRED_WITHIN, repaired).await.expect("it is repaired");
        assert_eq!(told, ["session_created", "session_terminated"]);
    }
}

async fn a_bus_that_loses_doubles_and_turns_around_changes_nothing(backend: Backend) {
    let store = SharedStore::patient(backend).await;
    store.shake_events();
    viewers_of_a_history(store, size(120, 1000), 250).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_who_is_killed_all_the_time_misses_nothing() {
    let store = SharedStore::patient(Backend::Redis).await;
    let killed = store.clone();
    let killing = tokio::spawn(async move {
        let mut times = 0;
        loop {
            sleep(Duration::from_millis(300)).await;
            let server = killed.redis().expect("a Redis");
            times += server.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]).parse::<u32>().unwrap_or(0);
            println!("{times} subscribers killed so far");
        }
    });
    viewers_of_a_history(store, size(120, 1000), 250).await;
    killing.abort();
}

async fn viewers_see_that_the_store_is_away_and_back(backend: Backend) {
    let trio = open_trio(backend).await;
    let mut socket = Socket::hello(&trio.replicas[0]).await;
    let cursor = socket.update().await["to"].clone();
    trio.store.set_down(true);
    until_state(&mut socket, "degraded").await;
    // Who comes now sees the last that was known.
    let mut late = Socket::resume(&trio.replicas[0], cursor.as_str().unwrap()).await;
    trio.store.set_down(false);
    until_state(&mut socket, "live").await;
    until_state(&mut late, "live").await;
    let session = trio.open().await;
    for socket in [&mut socket, &mut late] {
        let update = socket.happening().await;
        assert_eq!((&update["state"], &update["from"]), (&json!("live"), &cursor));
        assert_eq!(update["events"][0]["session"]["session_id"], session.key());
    }
}

async fn viewers_are_told_of_activity_that_a_failed_look_left_out(backend: Backend) {
    let trio = open_trio(backend).await;
    let session = trio.open().await;
    let mut socket = Socket::hello(&trio.replicas[0]).await;
    let snapshot = socket.update().await;
    let before = snapshot["events"][0]["session"]["last_seen_at"].as_u64().expect("it was seen");
    // One look marks the time, the next one is too late for what the one after it would ask for.
    trio.store.fail("page", 2);
    within(REPAIRED_WITHIN, "a look failed", async || trio.store.failures_left("page") == 1).await;
    assert!(session.works().await);
    within(REPAIRED_WITHIN, "another one failed", async || trio.store.failures_left("page") == 0).await;
    let told = async {
        loop {
            let update = socket.update().await;
            let seen = |event: &Value| event["session"]["last_seen_at"].as_u64().is_some_and(|at| at > before);
            if update["events"].as_array().expect("events").iter().any(seen) {
                return;
            }
        }
    };
    tokio::time::timeout(REPAIRED_WITHIN, told).await.expect("it is told with the next look");
}

async fn until_state(socket: &mut Socket, state: &str) -> Value {
    loop {
        let update = socket.update().await;
        if update["state"] == state {
            return update;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_see_that_redis_is_gone_and_back() {
    let mut server = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let (replica, _store, _layer) = replica_of(&server).await;
    Client::of(&replica).open(REVISION).await;
    let mut socket = Socket::hello(&replica).await;
    assert_eq!(socket.update().await["state"], "live");
    server.kill();
    until_state(&mut socket, "degraded").await;
    server.restart();
    until_state(&mut socket, "live").await;
    let session = Client::of(&replica).open(REVISION).await;
    let update = socket.happening().await;
    assert_eq!((types(&update), &update["mode"]), (vec!["session_created"], &json!("delta")), "nothing was lost");
    assert_eq!(update["events"][0]["session"]["session_id"], session.key());
}

/// A replica with connections of its own, as another process has them.
async fn replica_of(server: &RedisServer) -> (Replica, SharedStore, SessionLayer) {
    let store = SharedStore::in_the_same(server).await;
    let sessions = layer(&store).build();
    let monitor = sessions.monitor().access(everybody_as(Role::View)).build();
    (Replica::beside(&sessions, &Scripted::with_sessions(), monitor).await, store, sessions)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_of_a_redis_from_the_past_are_given_a_snapshot() {
    let mut server = RedisServer::start();
    let ((here, store, _one), (there, _, _other)) = (replica_of(&server).await, replica_of(&server).await);
    let client = Client::of(&here);
    for _ in 0..3 {
        client.open(REVISION).await;
    }
    assert_eq!(server.cli(&["SAVE"]), "OK");
    let mut dice = Dice::new();
    let viewers: Vec<_> = [&here, &there]
        .iter()
        .flat_map(|replica| Transport::ALL.map(|transport| (transport, replica.address)))
        .map(|(transport, address)| Viewer::follow(transport, vec![address], dice.fork(), None))
        .collect();
    for _ in 0..5 {
        client.open(REVISION).await;
    }
    let all_know = async |sessions: usize| viewers.iter().all(|viewer| viewer.book().sessions.len() == sessions);
    eventually("all viewers know of eight", async || all_know(8).await).await;
    server.restart();
    within(REPAIRED_WITHIN, "what was lost is gone from every book", async || all_know(3).await).await;
    let books = viewers.iter().map(|viewer| viewer.book());
    assert!(books.into_iter().all(|book| book.snapshots > 1), "by another snapshot");
    // As many as were lost, and more.
    for _ in 0..7 {
        Client::of(&there).open(REVISION).await;
    }
    eventually("all viewers know of ten", async || all_know(10).await).await;
    let truth = Truth::at(&here, &store).await;
    for viewer in &viewers {
        within(REPAIRED_WITHIN, "a viewer knows the truth", async || truth.is_told_by(&viewer.book())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_of_a_future_that_is_gone_is_spliced_to_no_other() {
    let mut server = RedisServer::start();
    let (before, _store, _layer) = replica_of(&server).await;
    Client::of(&before).open(REVISION).await;
    assert_eq!(server.cli(&["SAVE"]), "OK");
    let mut cursors = Vec::new();
    let mut socket = Socket::hello(&before).await;
    cursors.push((socket.update().await["to"].as_str().unwrap().to_owned(), true));
    for _ in 0..4 {
        Client::of(&before).open(REVISION).await;
        let cursor = socket.happening().await["to"].as_str().unwrap().to_owned();
        cursors.push((cursor, false));
    }
    // Whoever had seen that future goes with it.
    drop((before, socket, _store, _layer));
    server.restart();
    let (after, _store, _layer) = replica_of(&server).await;
    // As many as were lost, and more: under the same offsets of the same epoch.
    for _ in 0..6 {
        Client::of(&after).open(REVISION).await;
    }
    for (cursor, is_of_the_log) in cursors {
        let update = Socket::resume(&after, &cursor).await.update().await;
        let polled = Client::of(&after).at_path(format!("/api/mcp/sessions/events?cursor={cursor}")).get().await;
        let mode = if is_of_the_log { "delta" } else { "snapshot" };
        assert_eq!((&update["mode"], &polled.whole().await.json()["mode"]), (&json!(mode), &json!(mode)));
        assert_eq!(update["events"].as_array().unwrap().len(), if is_of_the_log { 6 } else { 7 });
    }
}
