//! An ended session leaves its inner session behind, for one to say goodbye to it.

use std::sync::Arc;
use std::time::Duration;

use super::fixture::{MANY, Subject, at_once, change, idle_at_once, long};
use super::inner_session::{inner, open_with, replace};
use super::relaying::text;
use crate::id::SessionKey;
use crate::session::{EndReason, NewSession};
use crate::store::{EndedBy, InnerReplaced, Lifetimes, Store};

async fn take(subject: &Subject, key: &SessionKey) -> Option<bytes::Bytes> {
    subject.0.take_inner(key).await.expect("take_inner works")
}

/// Nobody gets it while the session lives; of many who ask afterwards one does.
pub async fn an_ended_session_leaves_its_inner_session_to_one(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let (key, without) = (open_with(&subject, "a").await, subject.open().await);
    assert_eq!(take(&subject, &key).await, None, "a session that lives leaves nothing behind");
    replace(&subject, &key, 0, Some(1), "b").await;
    subject.hand_over(&key).await;
    subject.disconnect_all().await;
    assert_eq!(take(&subject, &key).await, None, "whatever becomes of it");
    let blueprint = subject.0.blueprint(&key).await.unwrap().expect("the session lives");
    assert_eq!(blueprint.inner, Some(inner(2, "b")), "and asking takes nothing from it");
    assert!(subject.end(&key).await && subject.end(&without).await);
    assert_eq!(replace(&subject, &key, 1, Some(2), "c").await, InnerReplaced::Gone, "an ended session has none");
    assert_eq!(subject.0.blueprint(&key).await.unwrap(), None);
    let taken = at_once(MANY, |_| {
        let subject = subject.clone();
        async move { take(&subject, &key).await }
    })
    .await;
    let taken: Vec<_> = taken.into_iter().flatten().collect();
    assert_eq!(taken, [text("b")], "the last one is left behind, for exactly one");
    assert_eq!(take(&subject, &without).await, None, "a session without one leaves none");
}

/// A sweep ends sessions as whoever calls `end` does.
pub async fn an_inner_session_is_left_however_the_session_ended(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let zero = Duration::ZERO;
    let expired = Lifetimes { expires_after: zero, ..idle_at_once() };
    let too_old = Lifetimes { max_lifetime: Some(zero), ..long() };
    let abandoned = Lifetimes { handshake_timeout: zero, ..long() };
    let reasons = [EndReason::Expired, EndReason::MaxLifetime, EndReason::Abandoned];
    for (lifetimes, reason) in [expired, too_old, abandoned].into_iter().zip(reasons) {
        let key = open_with(&subject, reason.as_str()).await;
        assert_eq!(subject.sweep_until_done(&lifetimes, 10).await.ended, [(key, reason)]);
        assert_eq!(take(&subject, &key).await, Some(text(reason.as_str())), "a sweep leaves it behind too");
        assert_eq!(take(&subject, &key).await, None, "once");
    }
    let key = open_with(&subject, "a").await;
    subject.0.end(&key, EndedBy::Operator, EndReason::Terminated).await.unwrap();
    assert_eq!(take(&subject, &key).await, Some(text("a")));
}

/// Whichever is first: an inner session that was accepted is left behind, one that was refused is not.
pub async fn a_replacement_racing_an_end_is_left_or_refused(store: Arc<dyn Store>) {
    let subject = Subject(store);
    for round in 0..20 {
        let key = open_with(&subject, "a").await;
        if round % 2 == 1 {
            subject.give(&Lifetimes { handshake_timeout: Duration::ZERO, ..long() }).await;
        }
        let replacing = at_once(10, |_| {
            let subject = subject.clone();
            async move { replace(&subject, &key, 0, Some(1), "b").await }
        });
        let ending = async {
            match round % 2 {
                0 => drop(subject.end(&key).await),
                _ => drop(subject.sweep_on(10).await),
            }
            take(&subject, &key).await
        };
        let (outcomes, left) = futures::join!(replacing, ending);
        let replaced = outcomes.contains(&InnerReplaced::Replaced { incarnation: 2 });
        assert_eq!(left, Some(text(if replaced { "b" } else { "a" })), "the last one accepted is left: {outcomes:?}");
        assert_eq!(take(&subject, &key).await, None, "and nothing else");
    }
}

/// What an ended session left behind belongs to no other.
pub async fn a_key_opened_again_inherits_no_inner_session(store: Arc<dyn Store>) {
    let subject = Subject(store);
    for sealed in [None, Some(text("new"))] {
        let key = open_with(&subject, "old").await;
        replace(&subject, &key, 0, Some(1), "older").await;
        subject.end(&key).await;
        let again = NewSession { key, inner: sealed.clone(), ..super::fixture::session() };
        subject.open_this(&again).await;
        let blueprint = subject.0.blueprint(&key).await.unwrap().expect("the session lives");
        let expected = sealed.as_ref().map(|_| inner(1, "new"));
        assert_eq!(blueprint.inner, expected, "a new session has its own, and begins to count anew");
        assert_eq!(take(&subject, &key).await, None, "and is alive");
        let reconnected = change(key, 0);
        subject.reconnect(&reconnected).await;
        subject.end(&key).await;
        assert_eq!(take(&subject, &key).await, sealed, "it leaves what it had");
    }
}
