//! Logs are bounded, and say what they lost.

use std::sync::Arc;

use bytes::Bytes;

use super::fixture::{ROOMY, Subject};
use crate::store::{Appended, LogLimits, Store};

const THREE: LogLimits = LogLimits { messages: 3, ..ROOMY };

/// The number of messages is limited over all streams of the session, oldest out first.
pub async fn the_oldest_messages_of_whichever_stream_make_room(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    for (to, text) in [("a", "1"), ("b", "2"), ("a", "3"), ("b", "4"), ("b", "5")] {
        subject.append(&key, to, text, &THREE).await;
    }
    assert_eq!(subject.texts(&key, "a").await, (vec!["3".into()], true), "a stream loses its oldest, and says so");
    let kept = subject.texts(&key, "b").await;
    assert_eq!(kept, (vec!["4".into(), "5".into()], true), "so does the one that the newest messages are of");
    let batch: Vec<Bytes> = (6..=15).map(|i| Bytes::from(i.to_string())).collect();
    subject.append_all(&key, "c", &batch, &THREE).await;
    let kept = subject.texts(&key, "c").await;
    assert_eq!(kept, (vec!["13".into(), "14".into(), "15".into()], true), "a large batch is cut to the limit");
    assert_eq!(subject.texts(&key, "a").await, (vec![], true), "a stream that lost everything still says so");
}

/// Bytes of messages are limited over all streams of the session.
pub async fn bytes_are_limited_too(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    let limits = LogLimits { bytes: 10, ..ROOMY };
    for (to, text) in [("a", "aaaa"), ("b", "bbbb"), ("a", "cc")] {
        subject.append(&key, to, text, &limits).await;
    }
    let all = (vec!["aaaa".into(), "cc".into()], false);
    assert_eq!(subject.texts(&key, "a").await, all, "what fits exactly is kept, however long the stream's name");
    subject.append(&key, "b", "d", &limits).await;
    assert_eq!(subject.texts(&key, "a").await, (vec!["cc".into()], true), "the oldest bytes make room");
    assert_eq!(subject.texts(&key, "b").await, (vec!["bbbb".into(), "d".into()], false), "and no more than needed");
    subject.append(&key, "b", "eee", &limits).await;
    subject.append(&key, "b", "ffff", &limits).await;
    let kept = subject.texts(&key, "b").await;
    assert_eq!(kept.0, ["d", "eee", "ffff"], "dropped bytes do not count any more");
    for _ in 0..20 {
        subject.append(&key, "a-longer-name", "gggg", &limits).await;
    }
    let kept = subject.texts(&key, "a-longer-name").await;
    assert_eq!(kept.0, ["gggg", "gggg"], "and the count stays right however many are dropped");
}

/// A message too large for the log is not lost: it is what the log holds.
pub async fn a_message_over_the_limit_is_kept_alone(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    let limits = LogLimits { bytes: 10, ..ROOMY };
    subject.append(&key, "a", "small", &limits).await;
    let large = "x".repeat(100);
    subject.append(&key, "b", &large, &limits).await;
    assert_eq!(subject.texts(&key, "b").await, (vec![large], false), "a message over the limit is kept");
    assert_eq!(subject.texts(&key, "a").await, (vec![], true), "alone");
    subject.append(&key, "a", "next", &limits).await;
    assert_eq!(subject.texts(&key, "b").await, (vec![], true), "and makes room for the next one");
    assert_eq!(subject.texts(&key, "a").await, (vec!["next".into()], true), "which is kept");
    let none = LogLimits { messages: 0, bytes: 0, ..ROOMY };
    subject.append(&key, "a", "last", &none).await;
    assert_eq!(subject.texts(&key, "a").await.0, ["last"], "the newest message is always kept");
}

/// A gap is a stream's own, and only before what it lost.
pub async fn a_gap_is_told_of_the_streams_that_have_one(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    let first = subject.append(&key, "a", "1", &THREE).await;
    let second = subject.append(&key, "a", "2", &THREE).await;
    subject.append(&key, "b", "3", &THREE).await;
    subject.append(&key, "a", "4", &THREE).await;
    subject.append(&key, "b", "5", &THREE).await;
    assert!(subject.read(&key, "a", 0).await.gap, "a lost message before the kept ones is a gap");
    assert!(subject.read(&key, "a", first).await.gap, "so is one after the asked position");
    assert!(!subject.read(&key, "a", second).await.gap, "a cursor at the last lost message missed nothing");
    assert!(!subject.read(&key, "b", 0).await.gap, "another stream's loss is no gap");
    let newest = subject.append(&key, "c", "6", &THREE).await;
    assert!(!subject.read(&key, "c", 0).await.gap, "a stream that began later lost nothing");
    for _ in 0..5 {
        subject.append(&key, "d", "more", &THREE).await;
    }
    assert!(!subject.read(&key, "c", newest).await.gap, "a cursor at the end of a stream that is gone missed nothing");
    assert!(subject.read(&key, "c", newest - 1).await.gap, "one before its end did");
}

/// A position is never used twice, even if nothing is left of what had it.
pub async fn positions_go_on_after_trimming(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    let one = LogLimits { messages: 1, ..ROOMY };
    let mut last = 0;
    for _ in 0..20 {
        let position = subject.append(&key, "a", "message", &one).await;
        assert!(position > last, "positions go on rising when messages are dropped");
        last = position;
    }
    let empty = subject.append_all(&key, "b", &[], &one).await;
    assert_eq!(empty, Appended::Stored { last }, "appending nothing takes no position");
}
