//! What has ended stays ended.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::fixture::{MANY, ROOMY, Subject, at_once, change, idle_at_once, session};
use crate::id::SessionKey;
use crate::session::SessionStatus;
use crate::store::{Census, Lifetimes, LogSlice, Reconnected, Revival, Store, Swept};

async fn assert_gone(subject: &Subject, key: &SessionKey) {
    assert_eq!(subject.find(key).await, None, "an ended session has no record");
    assert_eq!(subject.handshake(key).await, None, "an ended session has no handshake");
    assert_eq!(subject.get(key, "name").await, None, "an ended session has no data");
    assert_eq!(subject.read(key, "s", 0).await, LogSlice::default(), "an ended session has no streams");
    assert_eq!(subject.revive(key).await, Revival::Gone, "an ended session is not revived");
    for generation in 0..2 {
        let reconnected = subject.reconnect(&change(*key, generation)).await;
        assert_eq!(reconnected, Reconnected::Gone, "an ended session is not reconnected");
    }
    assert!(!subject.end(key).await, "an ended session does not end again");
}

/// Record, handshake, data and streams go together, whatever the session's status.
pub async fn nothing_of_an_ended_session_is_left(store: Arc<dyn Store>) {
    let subject = Subject(store);
    for disconnected in [false, true] {
        let key = subject.open().await;
        subject.put(&key, "name", b"value", 100).await;
        subject.append(&key, "s", "message", &ROOMY).await;
        if disconnected {
            subject.disconnect_all().await;
        }
        assert!(subject.end(&key).await, "a live session can be ended");
        assert_gone(&subject, &key).await;
        assert_eq!(subject.0.census().await.unwrap(), Census::default(), "an ended session is not counted");
    }
}

/// Concurrent ends have one winner.
pub async fn of_many_ends_one_wins(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    let ends = at_once(MANY, |_| {
        let subject = subject.clone();
        async move { subject.end(&key).await }
    })
    .await;
    assert_eq!(ends.iter().filter(|ended| **ended).count(), 1, "of concurrent ends exactly one is told true");
}

/// Touches, revivals, writes and sweeps that are under way when a session ends do not bring it back.
pub async fn nothing_late_brings_an_ended_session_back(store: Arc<dyn Store>) {
    let subject = Subject(store);
    for round in 0..10 {
        let key = subject.open().await;
        if round % 2 == 1 {
            subject.disconnect_all().await;
        }
        subject.give(&idle_at_once()).await;
        at_once(MANY, |i| {
            let subject = subject.clone();
            async move {
                match i % 8 {
                    0 => drop(subject.touch(&key, Duration::ZERO).await),
                    1 => drop(subject.revive(&key).await),
                    2 => drop(subject.put(&key, "name", b"value", 100).await),
                    3 => drop(subject.append_all(&key, "s", &[Bytes::from_static(b"m")], &ROOMY).await),
                    4 => drop(subject.0.sweep(Duration::ZERO, 1000).await.unwrap()),
                    5 => drop(subject.remove(&key, "name").await),
                    6 => drop(subject.reconnect(&change(key, 0)).await),
                    _ => drop(subject.end(&key).await),
                }
            }
        })
        .await;
        assert_gone(&subject, &key).await;
        assert_eq!(subject.0.census().await.unwrap(), Census::default(), "nothing late brings an ended session back");
        let everything = Lifetimes { handshake_timeout: Duration::ZERO, ..idle_at_once() };
        assert_eq!(subject.sweep(&everything).await, Swept::default(), "an ended session is not swept");
    }
}

/// An ended session's key can be opened again, by somebody who gets nothing of the old one.
pub async fn a_key_opened_again_inherits_nothing(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let first = session();
    subject.open_this(&first).await;
    subject.put(&first.key, "name", b"value", 100).await;
    subject.append(&first.key, "s", "message", &ROOMY).await;
    subject.hand_over(&first.key).await;
    subject.disconnect_all().await;
    subject.end(&first.key).await;
    let mut second = session();
    second.key = first.key;
    subject.open_this(&second).await;
    let record = subject.find(&first.key).await.unwrap();
    let own = (second.digest, SessionStatus::Active, 0);
    assert_eq!((record.digest, record.status, record.generation), own, "the new session is its own");
    assert_eq!(subject.get(&first.key, "name").await, None, "a new session inherits no data");
    assert_eq!(subject.read(&first.key, "s", 0).await, LogSlice::default(), "a new session inherits no messages");
}
