//! When sessions were last seen, and how they come back.

use std::sync::Arc;
use std::time::Duration;

use super::fixture::{HOUR, MANY, Subject, at_once, long, session, touch};
use crate::id::SessionKey;
use crate::session::{EndReason, SessionStatus, Timestamp};
use crate::store::{Lifetimes, Revival, Store, Touch, TouchOutcome};

/// When a session was last seen: the store tells it when the session is revived. Exact to the time the question takes.
async fn last_seen(subject: &Subject, key: &SessionKey) -> std::ops::RangeInclusive<Timestamp> {
    subject.disconnect_all().await;
    let before = subject.now().await;
    let Revival::Revived { gap } = subject.revive(key).await else { panic!("a disconnected session is revived") };
    before.before(gap)..=subject.now().await.before(gap)
}

/// A batch may name sessions of all kinds, and one of them twice.
pub async fn touches_are_answered_in_order(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let disconnected = subject.open().await;
    subject.disconnect_all().await;
    let (active, unknown) = (subject.open().await, session().key);
    let keys = [unknown, active, disconnected, active, unknown];
    let batch = keys.map(|key| touch(key, Duration::ZERO));
    let touched = subject.0.touch(&batch).await.unwrap();
    use TouchOutcome::{Active, Disconnected, Gone};
    assert_eq!(touched.outcomes, [Gone, Active, Disconnected, Active, Gone], "outcomes come in the batch's order");
    assert!(touched.now <= subject.now().await, "a touch tells the store's clock");
    let many: Vec<_> = subject.open_many(700).await.into_iter().map(|key| touch(key, HOUR)).collect();
    let touched = subject.0.touch(&many).await.unwrap();
    assert_eq!(touched.outcomes, vec![Active; 700], "a large batch is answered in full");
}

/// A session touched with an age was seen that long before the store's clock.
pub async fn a_touch_says_when_a_session_was_seen(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    subject.pass(Duration::from_millis(200)).await;
    let age = Duration::from_millis(50);
    let seen = subject.touch(&key, age).await.before(age);
    let known = last_seen(&subject, &key).await;
    assert!(known.contains(&seen), "a touched session was seen at now - age, {seen:?}, and not at {known:?}");
}

/// Old news changes nothing.
pub async fn last_seen_never_moves_back(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let given = session();
    let opened = subject.open_this(&given).await;
    subject.touch(&given.key, HOUR).await;
    subject.touch(&given.key, Duration::MAX).await;
    let known = last_seen(&subject, &given.key).await;
    assert!(known.contains(&opened), "a late touch does not move last-seen back from {opened:?} to {known:?}");
    let clocks = at_once(MANY, |i| {
        let subject = subject.clone();
        async move { subject.touch(&given.key, Duration::from_millis(i as u64)).await }
    })
    .await;
    let newest = clocks.iter().enumerate().map(|(i, now)| now.before(Duration::from_millis(i as u64))).max().unwrap();
    let known = last_seen(&subject, &given.key).await;
    assert!(newest <= *known.end(), "of concurrent touches the latest activity counts: {newest:?}, not {known:?}");
}

/// Activity from before is not a return.
pub async fn a_touch_does_not_wake_a_disconnected_session(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let given = session();
    let opened = subject.open_this(&given).await;
    subject.disconnect_all().await;
    subject.pass(Duration::from_millis(50)).await;
    subject.touch(&given.key, Duration::ZERO).await;
    assert_eq!(subject.status(&given.key).await, Some(SessionStatus::Disconnected), "a touch wakes no session");
    let known = last_seen(&subject, &given.key).await;
    assert!(known.contains(&opened), "a touch of a disconnected session does not count as activity");
}

/// A session whose time is over is not kept by a touch, whether or not a sweep has been there yet.
pub async fn a_touch_finds_nothing_past_the_retention(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let disconnected = subject.open().await;
    subject.disconnect_all().await;
    let active = subject.open().await;
    subject.pass(Duration::from_millis(150)).await;
    let short = Lifetimes { expires_after: Duration::from_millis(150), ..long() };
    let batch = [active, disconnected].map(|key| touch(key, Duration::ZERO));
    let outcomes = subject.touch_as(&batch, &short).await;
    assert_eq!(outcomes, [TouchOutcome::Gone; 2], "a touch comes too late for a session past its retention");
    let again = subject.touch_as(&batch, &short).await;
    assert_eq!(again, [TouchOutcome::Gone; 2], "and does not count as having seen it");
}

/// Whoever is not the session's holder does not keep it alive.
pub async fn a_touch_of_another_generation_changes_nothing(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let given = session();
    let opened = subject.open_this(&given).await;
    subject.pass(Duration::from_millis(50)).await;
    let other = |generation: u32| Touch { generation, confirms: true, ..touch(given.key, Duration::ZERO) };
    let touched = subject.0.touch(&[other(1), other(u32::MAX)]).await.unwrap();
    assert_eq!(touched.outcomes, [TouchOutcome::Superseded; 2], "another generation is told that it is one");
    let known = last_seen(&subject, &given.key).await;
    assert!(known.contains(&opened), "its activity does not count: {opened:?}, not {known:?}");
    subject.disconnect_all().await;
    let over = Lifetimes { expires_after: Duration::ZERO, ..long() };
    for (lifetimes, outcome) in [(long(), TouchOutcome::Superseded), (over, TouchOutcome::Gone)] {
        let outcomes = subject.touch_as(&[other(1)], &lifetimes).await;
        assert_eq!(outcomes, [outcome], "whatever the status, until the session is gone for everybody");
    }
    let swept = subject.sweep(&Lifetimes { handshake_timeout: Duration::ZERO, ..long() }).await;
    assert_eq!(swept.ended, [(given.key, EndReason::Abandoned)], "and does not confirm a handshake");
}

/// Revival makes a session active, seen now, and says for how long it was not.
pub async fn a_revived_session_is_active_and_seen_now(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    assert_eq!(subject.revive(&key).await, Revival::AlreadyActive, "an active session need not be revived");
    subject.pass(Duration::from_millis(100)).await;
    subject.disconnect_all().await;
    let before = subject.now().await;
    let Revival::Revived { gap } = subject.revive(&key).await else { panic!("a disconnected session is revived") };
    assert!(gap >= Duration::from_millis(100), "revive says how long the session was unseen, not {gap:?}");
    assert_eq!(subject.status(&key).await, Some(SessionStatus::Active), "a revived session is active");
    let known = last_seen(&subject, &key).await;
    assert!(before <= *known.end(), "a revived session was seen at its revival, not at {known:?}");
}

/// Concurrent revivals have one winner.
pub async fn of_many_revivals_one_wins(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    subject.disconnect_all().await;
    let revivals = at_once(MANY, |_| {
        let subject = subject.clone();
        async move { subject.revive(&key).await }
    })
    .await;
    let winners = revivals.iter().filter(|revival| matches!(revival, Revival::Revived { .. })).count();
    assert_eq!(winners, 1, "of concurrent revivals exactly one is told Revived");
    assert!(!revivals.contains(&Revival::Gone), "the others are told that the session is active already");
}

/// Between the end of its retention and the sweep, a session is not revived.
pub async fn a_session_past_its_retention_is_not_revived(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    subject.disconnect_all().await;
    subject.pass(Duration::from_millis(150)).await;
    let short = Lifetimes { expires_after: Duration::from_millis(150), ..long() };
    subject.give(&short).await;
    let revival = subject.revive(&key).await;
    assert_eq!(revival, Revival::Gone, "a session past its retention is not revived");
    assert_eq!(subject.status(&key).await, Some(SessionStatus::Disconnected), "and stays what it was");
}
