//! A viewer that reads nothing is sent away, and the others do not notice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::join_all;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tower_mcp_sessions::monitor::Role;
use tower_mcp_sessions::store::{Lifetimes, SessionStore};
use tower_mcp_sessions::{ClientInfo, NewSession, OnReturn, ProtocolVersion, SessionId, SessionOrigin};

use super::socket::{Knock, Socket};
use crate::harness::backend::{Backend, SharedStore};
use crate::harness::eventually::{eventually, within};
use crate::harness::inner::Scripted;
use crate::harness::log::Log;
use crate::harness::login::everybody_as;
use crate::harness::replica::{Replica, layer};
use crate::harness::size::size;

const LIFETIMES: Lifetimes = Lifetimes {
    idle_timeout: Duration::from_secs(3600),
    expires_after: Duration::from_secs(3600),
    max_lifetime: None,
    handshake_timeout: Duration::from_secs(3600),
    on_return: OnReturn::Revive,
};

/// What a replica may keep for all viewers together, in bytes; a queue for each of them, without a bound, would take more.
const BOUND: usize = 96 << 20;

/// Events that may be written before all others have read them; well below what a viewer may be behind.
const AHEAD: u64 = 200;
const PATIENCE: Duration = Duration::from_secs(60);

/// A session whose events are long.
async fn open(store: &SharedStore) {
    let id = SessionId::generate().unwrap();
    let origin = SessionOrigin {
        protocol_version: ProtocolVersion::V2025_11_25,
        client: ClientInfo { name: "n".repeat(700), version: "v".repeat(700) },
        principal: None,
        replica: "a".into(),
        adopted: None,
        inner_has_sessions: false,
    };
    let (key, digest, handshake) = (id.key(), id.digest(), bytes::Bytes::new());
    let session = NewSession { key, digest, lifetimes: LIFETIMES, origin, handshake, inner: None };
    store.open(&session, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_viewer_of_many_is_closed_and_the_others_miss_nothing_in_memory() {
    one_stalled_viewer_of_many(Backend::Memory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_viewer_of_many_is_closed_and_the_others_miss_nothing_in_redis() {
    one_stalled_viewer_of_many(Backend::Redis).await;
}

async fn one_stalled_viewer_of_many(backend: Backend) {
    let log = Log::capture_ours();
    let (viewers, events) = (size(50, 200), size(3_000, 10_000));
    let store = SharedStore::patient(backend).await;
    let sessions = layer(&store).build();
    let monitor = sessions.monitor().access(everybody_as(Role::View)).build();
    let replica = Replica::beside(&sessions, &Scripted::with_sessions(), monitor).await;
    let mut stalled = narrow(&replica).await;
    stalled.greet(json!({ "t": "hello" })).await;
    let (mut reading, mut all_progress) = (JoinSet::new(), Vec::new());
    for _ in 1..viewers {
        let mut socket = Socket::hello(&replica).await;
        let cursor = socket.update().await["to"].as_str().unwrap().to_owned();
        let progress = Arc::<AtomicU64>::default();
        all_progress.push(Arc::clone(&progress));
        reading.spawn(read(socket, cursor, events as u64, progress));
    }
    let before = memory();
    for written in (10..=events as u64).step_by(10) {
        join_all((0..10).map(|_| open(&store))).await;
        // The others are no faster than the machine, which they share.
        let keep_up = async || all_progress.iter().all(|read| read.load(Ordering::Relaxed) + AHEAD >= written);
        within(PATIENCE, "the others read on", keep_up).await;
    }
    while let Some(read) = reading.join_next().await {
        read.expect("a viewer that reads misses nothing");
    }
    let grown = memory().saturating_sub(before);
    println!("{viewers} viewers, {events} events: {} MiB more", grown >> 20);
    assert!(grown < BOUND, "{} MiB", grown >> 20);
    eventually("the stalled viewer is sent away", async || {
        log.text().lines().any(|line| line.contains("a viewer's socket is closed") && line.contains("4001"))
    })
    .await;
    let (frames, code) = stalled.rest().await;
    assert!(frames.len() < events && [None, Some(4001)].contains(&code), "{} frames, {code:?}", frames.len());
}

#[derive(Deserialize)]
struct Frame<'a> {
    t: &'a str,
    #[serde(default)]
    from: &'a str,
    #[serde(default)]
    to: &'a str,
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    n: u64,
}

/// Reads events until there were so many, each in its turn, and keeps nothing.
async fn read(mut socket: Socket, mut cursor: String, events: u64, progress: Arc<AtomicU64>) {
    let mut last = 0;
    while last < events {
        let text = socket.read_text().await.unwrap_or_else(|code| panic!("closed with {code:?} after {last} events"));
        let frame: Frame<'_> = serde_json::from_str(&text).expect("a frame");
        match frame.t {
            "update" => {
                assert_eq!(frame.from, cursor, "nothing is left out");
                for event in frame.events.iter().filter(|event| event.n > 0) {
                    assert_eq!(event.n, last + 1);
                    last = event.n;
                }
                frame.to.clone_into(&mut cursor);
                progress.store(last, Ordering::Relaxed);
            }
            _ => socket.say(&json!({ "t": "pong" })).await,
        }
    }
}

/// A viewer with little room for what it has not read.
async fn narrow(replica: &Replica) -> Socket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8 << 10).unwrap();
    let stream = socket.connect(replica.address).await.unwrap();
    Knock::at(replica).open_over(stream).await.unwrap_or_else(|refused| panic!("{refused:?}"))
}

/// What this process has in memory, in bytes.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells");
    line.split_whitespace().next().unwrap().parse::<usize>().unwrap() << 10
}
