//! A log keeps only so much: who comes back too late is told of the gap, who reads on loses nothing.

use std::time::Duration;

use serde_json::json;
use tower_mcp_sessions::SessionKey;
use tower_mcp_sessions::store::{LogSlice, StreamLog, StreamName, StreamState};

use super::{assert_rising, assert_steps_and_result};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::within;
use crate::harness::raw::{Event, Session};
use crate::harness::size::size;
use crate::harness::trio::Trio;

on_every_backend! {
    an_id_as_long_as_a_body_is_answered_and_not_kept,
    who_comes_back_too_late_is_told_of_the_gap_and_gets_what_was_kept,
    what_nobody_reads_takes_no_more_than_its_limit,
    a_slow_client_that_reads_on_loses_nothing,
}

const TTL: Duration = Duration::from_secs(600);
/// A flood of the full size takes its time.
const FLOODED_WITHIN: Duration = Duration::from_secs(240);

/// Waits until the stream of an event is in the log whole.
async fn recorded(trio: &Trio, session: &Session, event: &Event) {
    let whole = async || read(trio, session, event, 1 << 40).await.state == StreamState::Finished;
    within(FLOODED_WITHIN, "the call has ended", whole).await;
}

/// How many messages are kept of the stream of an event, and their bytes.
async fn kept(trio: &Trio, session: &Session, event: &Event) -> (usize, usize) {
    let (mut messages, mut bytes, mut after) = (0, 0, 0);
    loop {
        let part = read(trio, session, event, after).await.messages;
        let Some((last, _)) = part.last() else { return (messages, bytes) };
        after = *last;
        messages += part.len();
        bytes += part.iter().map(|(_, message)| message.len()).sum::<usize>();
    }
}

async fn read(trio: &Trio, session: &Session, event: &Event, after: u64) -> LogSlice {
    let key = SessionKey::parse(session.key()).expect("a key");
    let stream = StreamName::parse(event.cursor().rsplit_once('.').expect("a position").0).expect("a stream");
    trio.store.read(&key, &stream, after, 64).await.expect("the store answers")
}

async fn who_comes_back_too_late_is_told_of_the_gap_and_gets_what_was_kept(backend: Backend) {
    const KEPT: usize = 50;
    let trio = Trio::with(backend, |builder| builder.stream_log(KEPT, 1 << 20, TTL)).await;
    let session = trio.open().await;
    let mut stream = session.begin(1, "flood", json!({ "count": 300, "size": 10 })).await;
    let first = stream.take(2).await.pop().expect("a message");
    drop(stream);
    trio.inners[0].release("", 1);
    recorded(&trio, &session, &first).await;
    for replica in &trio.replicas {
        let mut resumed = session.at(replica).resume(first.cursor()).await.all().await;
        assert_eq!(resumed.remove(0).message, None, "the priming event");
        let gap = resumed.remove(0);
        assert_eq!((gap.id.as_deref(), &gap.message()["method"]), (None, &json!("notifications/message")));
        assert_eq!(gap.message()["params"]["logger"], "tower-mcp-sessions");
        assert_eq!(gap.message()["params"]["data"]["gap"], true);
        assert_eq!(resumed.len(), KEPT);
        assert_steps_and_result(&resumed, 300 - KEPT as u64 + 2, 300);
        assert_rising(&resumed);
        let from_kept = session.at(replica).resume(resumed[0].cursor()).await.all().await;
        assert_eq!(from_kept[1..], resumed[1..], "from where nothing is missing there is no gap");
    }
}

async fn what_nobody_reads_takes_no_more_than_its_limit(backend: Backend) {
    const KIB: usize = 1 << 10;
    let trio = Trio::start(backend).await;
    let session = trio.open().await;
    let mut stream = session.begin(1, "flood", json!({ "count": size(4000, 100_000), "size": KIB })).await;
    let first = stream.take(2).await.pop().expect("a message");
    drop(stream);
    let (before, used) = (resident_set(), trio.store.redis().map(|redis| redis.info("used_memory")));
    trio.inners[0].release("", 1);
    recorded(&trio, &session, &first).await;
    let (messages, bytes) = kept(&trio, &session, &first).await;
    assert!((500..=1000).contains(&messages), "{messages} messages are kept");
    assert!(bytes <= KIB * KIB, "{bytes} bytes are kept");
    let grown = resident_set().saturating_sub(before);
    assert!(grown < 64 * KIB * KIB, "this process grew by {grown} bytes");
    if let (Some(redis), Some(used)) = (trio.store.redis(), used) {
        let grown = redis.info("used_memory").saturating_sub(used);
        assert!(grown < 4 << 20, "Redis grew by {grown} bytes");
    }
}

/// Bytes of memory this process holds.
fn resident_set() -> usize {
    let sizes = std::fs::read_to_string("/proc/self/statm").expect("a process knows its size");
    let pages: usize = sizes.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number of pages");
    pages * 4096
}

/// It reads so slowly that its connection is full for longer than anybody waits for it.
async fn a_slow_client_that_reads_on_loses_nothing(backend: Backend) {
    const COUNT: usize = 900;
    let trio = Trio::with(backend, |builder| builder.stream_log(COUNT + 10, 64 << 20, TTL)).await;
    let session = trio.open().await;
    let mut stream = session.begin(1, "flood", json!({ "count": COUNT, "size": 16 << 10 })).await;
    let first = stream.take(2).await.pop().expect("a message");
    trio.inners[0].release("", 1);
    recorded(&trio, &session, &first).await;
    let rest = stream.all().await;
    assert_steps_and_result(&rest, 1, COUNT as u64);
    assert_rising(&rest);
}

/// The log is bounded; what is kept of a stream beside it must be, too.
async fn an_id_as_long_as_a_body_is_answered_and_not_kept(backend: Backend) {
    let trio = Trio::start(backend).await;
    let session = trio.open().await;
    for length in [300, 1 << 20] {
        let id = "x".repeat(length);
        let call = json!({ "jsonrpc": "2.0", "id": id, "method": "steps", "params": { "steps": 1 } });
        let mut stream = session.client.post(&call).await.events();
        let cursor = stream.take(2).await[1].cursor().to_owned();
        if let Some(redis) = trio.store.redis() {
            let rows = redis.cli(&["HGETALL", &format!("mcp:{{00}}:m:{}", session.key())]);
            assert_eq!(rows.contains(&id), length == 300, "what an orphan is told its end with");
            assert!(rows.len() < 10_000, "{} bytes", rows.len());
        }
        let resumed = session.at(&trio.replicas[1]).resume(&cursor).await;
        trio.inners[0].release("", 1);
        for stream in [stream, resumed] {
            let result = stream.all().await.pop().expect("a result");
            assert!(result.message()["id"] == id && result.message()["result"].is_object());
        }
    }
}
