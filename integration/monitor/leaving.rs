//! A replica that leaves tells its viewers to come back elsewhere, and does not wait for them.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::open_trio;
use super::socket::{Knock, Socket};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::process::{Process, Signal, TOKEN};
use crate::harness::raw::Client;

on_every_backend! {
    viewers_are_told_to_come_back_elsewhere,
    viewers_who_do_not_read_hold_nobody_up,
}

async fn viewers_are_told_to_come_back_elsewhere(backend: Backend) {
    let trio = open_trio(backend).await;
    let mut socket = Socket::hello(&trio.replicas[0]).await;
    let cursor = socket.update().await["to"].as_str().unwrap().to_owned();
    let unsaid = Socket::to(&trio.replicas[0]).await;
    let events = Client::of(&trio.replicas[0]).at_path("/sse/sessions").get().await.events();
    trio.layers[0].close_streams();
    for socket in [socket, unsaid] {
        let (frames, code) = socket.rest().await;
        assert_eq!(code, Some(4000));
        let bye = frames.last().unwrap();
        assert_eq!((&bye["t"], &bye["code"]), (&json!("bye"), &json!(4000)), "{bye}");
        assert!(bye["retry_ms"].as_u64().is_some_and(|ms| ms <= 1000), "{bye}");
    }
    let last = events.all().await.pop().unwrap();
    assert!(last.retry.is_some(), "{last:?}");
    let refused = Knock::at(&trio.replicas[0]).open().await.err().expect("a replica that leaves takes nobody in");
    assert_eq!(refused.status(), 503);
    let session = trio.client().at(&trio.replicas[1]).open("2025-11-25").await;
    let mut socket = Socket::resume(&trio.replicas[1], &cursor).await;
    let update = socket.happening().await;
    assert_eq!(
        (&update["from"], &update["events"][0]["session"]["session_id"]),
        (&json!(cursor), &json!(session.key()))
    );
}

async fn viewers_who_do_not_read_hold_nobody_up(backend: Backend) {
    let trio = open_trio(backend).await;
    let mut sockets = Vec::new();
    for _ in 0..5 {
        sockets.push(Socket::hello(&trio.replicas[0]).await);
    }
    let begun = Instant::now();
    trio.layers[0].shutdown().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?}", begun.elapsed());
    for socket in sockets {
        assert_eq!(socket.end().await, Some(4000));
    }
}

#[tokio::test]
async fn sigterm_says_goodbye_to_viewers_and_the_process_is_gone_in_time() {
    let mut server = Process::server(&[]).await;
    let mut socket = Knock::to(server.address()).open().await.unwrap();
    socket.greet(json!({ "t": "hello", "token": TOKEN })).await;
    socket.update().await;
    let silent = Knock::to(server.address()).open().await.unwrap();
    server.signal(Signal::TERM);
    assert_eq!(socket.end().await, Some(4000));
    let exit = server.exit().await;
    assert!(exit.status.success(), "{exit:?}");
    assert!(exit.took < Duration::from_secs(13), "{exit:?}");
    drop(silent);
}
