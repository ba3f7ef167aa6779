//! A session changes hands: once, and whole.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::fixture::{MANY, ROOMY, Subject, at_once, change, idle_at_once, long, session};
use super::relaying::text;
use crate::id::NonceDigest;
use crate::session::{SessionRecord, SessionStatus};
use crate::store::{Census, Lifetimes, Reconnected, Reconnection, Store, Touch, TouchOutcome};

fn nonce(text: &str) -> Option<NonceDigest> {
    NonceDigest::of(text.as_bytes())
}

/// The secret and what is known of the session are the new holder's; what the session is and has stays.
pub async fn a_reconnect_renews_the_secret_and_keeps_the_session(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let given = session();
    let created_at = subject.open_this(&given).await;
    subject.put(&given.key, "name", b"value", 100).await;
    for letter in ["one", "two"] {
        subject.0.post(&given.key, 0, &text(letter), None, &ROOMY).await.expect("post works");
    }
    let mut record = subject.find(&given.key).await.expect("the session lives");
    for (before, handshake) in [(0, None), (1, Some(text("another"))), (2, Some(Bytes::new()))] {
        let mut change = Reconnection { handshake: handshake.clone(), ..change(given.key, before) };
        change.origin.client.version = format!("{before}");
        change.origin.principal = (before == 1).then(|| "bob".into());
        let old = subject.handshake(&given.key).await;
        let asked_at = subject.now().await;
        let done = subject.reconnect(&change).await;
        let Reconnected::Done { now, generation, created_at: told, inbox, again, .. } = done else {
            panic!("reconnecting a live session said {done:?}")
        };
        assert!(asked_at <= now && now <= subject.now().await, "a reconnect tells the store's clock");
        assert_eq!((generation, again), (before + 1, false), "the generation rises by one");
        assert_eq!(
            (told, inbox),
            (created_at, 2),
            "a reconnect tells when the session was opened, and its last letter"
        );
        let renewed = SessionRecord { generation, digest: change.digest, origin: change.origin, ..record };
        record = subject.find(&given.key).await.expect("the session lives");
        assert_eq!(record, renewed, "the digest, the origin and the generation are new, the rest is as it was");
        let expected = handshake.or(old);
        assert_eq!(subject.handshake(&given.key).await, expected, "the handshake is the new one, if there is one");
        let letters = subject.0.letters(&given.key, 0, 10).await.expect("letters works").letters;
        assert_eq!(letters, [(1, text("one")), (2, text("two"))], "letters stay");
    }
    assert_eq!(subject.get(&given.key, "name").await.as_deref(), Some(&b"value"[..]), "data stays");
}

/// Whatever it was, the session is active afterwards and seen now.
pub async fn a_reconnected_session_is_active_and_seen_now(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let age = Duration::from_millis(100);
    for disconnected in [false, true] {
        let given = session();
        let opened = subject.open_this(&given).await;
        subject.pass(age).await;
        if disconnected {
            subject.disconnect_all().await;
        }
        let done = subject.reconnect(&change(given.key, 0)).await;
        let Reconnected::Done { now, gap, .. } = done else { panic!("reconnecting a live session said {done:?}") };
        assert_eq!(gap, now.since(opened), "a reconnect says how long the session was unseen");
        assert_eq!(subject.status(&given.key).await, Some(SessionStatus::Active), "a reconnected session is active");
        let census = subject.0.census().await.unwrap();
        assert_eq!(census, Census { active: 1, disconnected: 0 }, "and counted as such, once");
        let done = subject.reconnect(&change(given.key, 1)).await;
        let Reconnected::Done { now: again, gap, .. } = done else { panic!("reconnecting again said {done:?}") };
        assert_eq!(gap, again.since(now), "a reconnected session was seen at its reconnect");
        let swept = subject.sweep(&Lifetimes { idle_timeout: age * 100, ..long() }).await;
        assert_eq!(swept.disconnected, [], "so it is not idle");
        assert_eq!(subject.sweep(&idle_at_once()).await.disconnected, [given.key], "but will be");
        subject.end(&given.key).await;
    }
}

/// Of many who name one generation the first gets the session; the others are told that they are not it.
pub async fn of_many_reconnects_one_wins(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    for generation in 0..3 {
        let tries = at_once(MANY, |i| {
            let subject = subject.clone();
            let change = Reconnection { nonce: nonce(&i.to_string()), ..change(key, generation) };
            async move { (change.digest, subject.reconnect(&change).await) }
        })
        .await;
        let done = |outcome: &Reconnected| matches!(outcome, Reconnected::Done { again: false, .. });
        let (won, lost): (Vec<_>, Vec<_>) = tries.into_iter().partition(|(_, outcome)| done(outcome));
        assert_eq!(won.len(), 1, "of concurrent reconnects exactly one is told Done");
        let superseded = lost.iter().all(|(_, outcome)| *outcome == Reconnected::Superseded);
        assert!(superseded, "the others are told Superseded: {lost:?}");
        let record = subject.find(&key).await.expect("the session lives");
        assert_eq!((record.digest, record.generation), (won[0].0, generation + 1), "the session is the winner's");
    }
    assert_eq!(subject.reconnect(&change(key, 7)).await, Reconnected::Superseded, "no generation is skipped");
}

/// A winner whose answer was lost shows its nonce and gets a secret again; nobody else does, and only until the next.
pub async fn the_winner_may_retry(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    let with = |nonce: Option<NonceDigest>, generation: u32| Reconnection { nonce, ..change(key, generation) };
    let first = with(nonce("mine"), 0);
    assert!(matches!(subject.reconnect(&first).await, Reconnected::Done { generation: 1, again: false, .. }));
    for other in [nonce("another's"), nonce("min"), nonce("mine "), None] {
        let outcome = subject.reconnect(&with(other, 0)).await;
        assert_eq!(outcome, Reconnected::Superseded, "without the winner's nonce there is no retry");
    }
    assert_eq!(subject.find(&key).await.unwrap().digest, first.digest, "what is refused changes nothing");
    for _ in 0..2 {
        let retry = Reconnection { handshake: Some(text("again")), ..with(nonce("mine"), 0) };
        let outcome = subject.reconnect(&retry).await;
        let same = matches!(outcome, Reconnected::Done { generation: 1, again: true, .. });
        assert!(same, "the winner's retry gets the same generation again, not {outcome:?}");
        let record = subject.find(&key).await.unwrap();
        assert_eq!((record.digest, record.generation), (retry.digest, 1), "with a new secret");
        assert_eq!(subject.handshake(&key).await, Some(text("again")), "and what else it brought");
    }
    let touch = Touch { key, generation: 1, age: Duration::ZERO, confirms: false };
    let touched = subject.0.touch(&[touch]).await.unwrap();
    assert_eq!(touched.outcomes, [TouchOutcome::Active], "the session is used meanwhile");
    assert!(matches!(subject.reconnect(&with(nonce("mine"), 1)).await, Reconnected::Done { generation: 2, .. }));
    let outcome = subject.reconnect(&with(nonce("mine"), 0)).await;
    assert_eq!(outcome, Reconnected::Superseded, "the next reconnect ends the retries of the one before");
    assert!(matches!(subject.reconnect(&with(nonce("mine"), 1)).await, Reconnected::Done { again: true, .. }));
    assert!(matches!(subject.reconnect(&with(None, 2)).await, Reconnected::Done { generation: 3, .. }));
    for generation in [1, 2] {
        let outcome = subject.reconnect(&with(nonce("mine"), generation)).await;
        assert_eq!(outcome, Reconnected::Superseded, "one without a nonce does so too");
    }
}

/// Whoever comes after the end, or after the retention, finds nothing, and makes nothing.
pub async fn what_is_over_is_not_reconnected(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let never = session().key;
    let ended = subject.open().await;
    let retry = Reconnection { nonce: nonce("mine"), ..change(ended, 0) };
    subject.reconnect(&retry).await;
    subject.end(&ended).await;
    for change in [change(never, 0), change(ended, 0), change(ended, 1), retry] {
        assert_eq!(subject.reconnect(&change).await, Reconnected::Gone, "there is nothing to reconnect to");
        assert_eq!(subject.find(&change.key).await, None, "and a reconnect makes no session");
    }
    let disconnected = subject.open().await;
    subject.disconnect_all().await;
    let active = subject.open().await;
    subject.pass(Duration::from_millis(150)).await;
    let short = Lifetimes { expires_after: Duration::from_millis(150), ..long() };
    subject.give(&short).await;
    for key in [disconnected, active] {
        let before = subject.find(&key).await;
        for generation in [0, 1] {
            let outcome = subject.reconnect(&change(key, generation)).await;
            assert_eq!(outcome, Reconnected::Gone, "a session past its retention is not reconnected");
        }
        assert_eq!(subject.find(&key).await, before, "and stays what it was");
    }
}
