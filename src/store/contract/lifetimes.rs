//! How long a session lives is its own.

use std::sync::Arc;
use std::time::Duration;

use super::fixture::{MANY, Subject, at_once, change, idle_at_once, long, session};
use crate::id::SessionKey;
use crate::lifetimes::OnReturn;
use crate::session::{EndReason, NewSession};
use crate::store::{Lifetimes, Store, Swept};

const ZERO: Duration = Duration::ZERO;

async fn open_with(subject: &Subject, lifetimes: Lifetimes) -> SessionKey {
    let given = NewSession { lifetimes, ..session() };
    subject.open_this(&given).await;
    given.key
}

async fn lifetimes_of(subject: &Subject, key: &SessionKey) -> Lifetimes {
    subject.find(key).await.expect("the session lives").lifetimes
}

/// Side by side, each session is judged by the lifetimes it was opened with, and keeps them, whatever becomes of it.
pub async fn each_session_has_lifetimes_of_its_own(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let unlike = Lifetimes { on_return: OnReturn::Reject, max_lifetime: Some(long().idle_timeout), ..long() };
    let idle = open_with(&subject, idle_at_once()).await;
    let too_old = open_with(&subject, Lifetimes { max_lifetime: Some(ZERO), ..long() }).await;
    let unconfirmed = open_with(&subject, Lifetimes { handshake_timeout: ZERO, ..long() }).await;
    let expired = open_with(&subject, Lifetimes { expires_after: ZERO, ..idle_at_once() }).await;
    let lasting = open_with(&subject, unlike).await;
    let mut swept = subject.sweep_on(1000).await;
    let by_key = |(one, _): &(SessionKey, EndReason), (other, _): &(SessionKey, EndReason)| one.cmp(other);
    swept.ended.sort_by(by_key);
    let mut ended =
        [(too_old, EndReason::MaxLifetime), (unconfirmed, EndReason::Abandoned), (expired, EndReason::Expired)];
    ended.sort_by(by_key);
    assert_eq!(swept.ended, ended, "each ends for its own reason");
    swept.disconnected.sort_unstable();
    let mut disconnected = [idle, expired];
    disconnected.sort_unstable();
    assert_eq!(swept.disconnected, disconnected, "and is idle after its own time");
    subject.revive(&idle).await;
    subject.hand_over(&lasting).await;
    assert_eq!(lifetimes_of(&subject, &idle).await, idle_at_once(), "a return changes nothing about them");
    assert_eq!(lifetimes_of(&subject, &lasting).await, unlike, "nor does a reconnect");
    assert_eq!(subject.sweep_on(1000).await.disconnected, [idle], "and they still hold");
}

/// A grace is time in which what is due is not done yet.
pub async fn a_sweep_waits_for_its_grace(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = open_with(&subject, idle_at_once()).await;
    let swept = subject.0.sweep(long().idle_timeout, 10).await.expect("sweep works");
    assert_eq!(swept, Swept::default(), "what is due for less than the grace is left alone");
    subject.pass(Duration::from_millis(20)).await;
    let swept = subject.0.sweep(Duration::from_millis(20), 10).await.expect("sweep works");
    assert_eq!(swept.disconnected, [key], "and then it is not");
}

/// Applied lifetimes are those of every session that lives, whatever its status; of none that is opened afterwards.
pub async fn applied_lifetimes_hold_for_all_that_live(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let keys = subject.open_many(130).await;
    subject.put(&keys[0], "name", b"value", 100).await;
    subject.disconnect_all().await;
    for key in &keys[..65] {
        subject.revive(key).await;
    }
    subject.end(&keys[129]).await;
    let brief = Lifetimes { idle_timeout: ZERO, on_return: OnReturn::Reject, ..long() };
    assert_eq!(subject.0.apply_lifetimes(&brief).await.expect("apply_lifetimes works"), 129, "it counts who lives");
    let later = subject.open().await;
    for key in &keys[..129] {
        assert_eq!(lifetimes_of(&subject, key).await, brief);
    }
    assert_eq!(lifetimes_of(&subject, &later).await, long(), "a session opened later has its own");
    assert_eq!(subject.get(&keys[0], "name").await.as_deref(), Some(&b"value"[..]), "nothing else changes");
    let mut disconnected = subject.sweep_on(20).await.disconnected;
    disconnected.sort_unstable();
    assert_eq!(disconnected, keys[..65], "a deadline that came nearer is found");
    subject.give(&Lifetimes { expires_after: ZERO, ..long() }).await;
    subject.give(&long()).await;
    assert_eq!(subject.sweep_on(20).await, Swept::default(), "one that went away again is not");
}

/// Sessions that come, go and change hands meanwhile are none the worse, and have one or the other.
pub async fn applying_lifetimes_disturbs_nobody(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let keys = Arc::new(subject.open_many(MANY).await);
    let brief = Lifetimes { max_lifetime: Some(long().expires_after), ..long() };
    at_once(MANY + 3, |i| {
        let (subject, keys) = (subject.clone(), Arc::clone(&keys));
        async move {
            match keys.get(i) {
                None => subject.give(&brief).await,
                Some(key) if i % 3 == 0 => drop(subject.end(key).await),
                Some(key) if i % 3 == 1 => drop(subject.reconnect(&change(*key, 0)).await),
                Some(_) => drop(subject.open().await),
            }
        }
    })
    .await;
    for (i, key) in keys.iter().enumerate() {
        match subject.find(key).await {
            None => assert_eq!(i % 3, 0, "only what was ended is gone"),
            Some(record) => {
                assert_ne!(i % 3, 0, "what was ended stays ended");
                assert_eq!(record.lifetimes, brief, "who lived all the time has them");
                assert_eq!(record.generation, u32::from(i % 3 == 1), "and its own holder");
            }
        }
    }
}

/// Who announces lifetimes is told which were announced last; no session is changed by it.
pub async fn announced_lifetimes_are_told_to_the_next(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let announce = async |lifetimes| subject.0.announce_lifetimes(&lifetimes).await.expect("announce_lifetimes works");
    let key = subject.open().await;
    let (one, other) = (idle_at_once(), Lifetimes { on_return: OnReturn::Reject, ..long() });
    assert_eq!(announce(one).await, None, "the first is told of none");
    assert_eq!(announce(one).await, Some(one));
    assert_eq!(announce(other).await, Some(one), "the next one of the last");
    assert_eq!(announce(one).await, Some(other));
    assert_eq!(lifetimes_of(&subject, &key).await, long(), "sessions keep their own");
    assert_eq!(subject.sweep_on(10).await, Swept::default());
}
