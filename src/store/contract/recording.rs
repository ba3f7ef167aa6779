//! What happens is recorded with the change, once, in order.

use std::sync::Arc;
use std::time::Duration;

use super::event_log::REFUSAL;
use super::fixture::{MANY, Subject, at_once, idle_at_once, long, session, touch};
use crate::audit::ReconnectDoor;
use crate::event::{Change, Comeback, SessionEvent, SessionView};
use crate::id::{NonceDigest, SessionKey};
use crate::lifetimes::OnReturn;
use crate::outcome::ReconnectOutcome;
use crate::session::{ClientInfo, EndReason, SessionOrigin, SessionStatus};
use crate::store::{Ended, EndedBy, Lifetimes, Opening, Reconnected, Reconnection, Refusal, Revival, Store};

/// A new holder for a session of that generation, on a replica and with a client of its own.
pub(super) fn successor(key: SessionKey, generation: u32) -> Reconnection {
    let given = session();
    let client = ClientInfo { name: "successor".into(), version: String::new() };
    let origin = SessionOrigin { client, replica: "c \"3\"".into(), ..given.origin };
    let handshake = Some(given.handshake);
    Reconnection { key, generation, digest: given.digest, origin, handshake, inner: None, nonce: None }
}

const AT_ONCE: Lifetimes = Lifetimes {
    idle_timeout: Duration::ZERO,
    expires_after: Duration::ZERO,
    max_lifetime: Some(Duration::ZERO),
    handshake_timeout: Duration::ZERO,
    on_return: OnReturn::Revive,
};

/// Each event says what happened, when, and what the session is then; an end, what it was.
pub async fn an_event_tells_what_happened_and_to_whom(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let given = session();
    let key = given.key;
    let at = subject.open_this(&given).await;
    let mut view = SessionView {
        key,
        status: SessionStatus::Active,
        reconnect_count: 0,
        created_at: at,
        last_seen: at,
        origin: given.origin.clone(),
    };
    let created = subject.last(&key).await;
    assert_eq!((created.at, created.change), (at, Change::Created), "an opening is told with its time");
    assert_eq!(created.session.as_ref(), Some(&view), "and the session as it was opened");

    subject.pass(Duration::from_millis(60)).await;
    subject.disconnect_all().await;
    view.status = SessionStatus::Disconnected;
    let disconnected = subject.last(&key).await;
    assert_eq!(disconnected.change, Change::Disconnected);
    assert!(disconnected.at.since(at) >= Duration::from_millis(60), "an event tells when it was recorded");
    assert_eq!(disconnected.session.as_ref(), Some(&view), "a disconnected session tells when it was last seen");

    let Revival::Revived { gap } = subject.revive(&key).await else { panic!("a disconnected session is revived") };
    let returned = subject.last(&key).await;
    let change = Change::Reconnected { how: Comeback::Return, gap, from_replica: given.origin.replica.clone() };
    assert_eq!(returned.change, change, "a return tells how long the session was unseen, and where it was before");
    view = SessionView { status: SessionStatus::Active, last_seen: returned.at, ..view };
    view.origin.replica = "b-2".into();
    assert_eq!(returned.session.as_ref(), Some(&view), "and where it is now");
    let origin = subject.find(&key).await.expect("the session lives").origin;
    assert_eq!(origin, view.origin, "the record of a session that returned differs by its replica alone");

    let change = successor(key, 0);
    let reconnected = subject.0.reconnect(&change).await.expect("reconnect works");
    let Reconnected::Done { gap, now, .. } = reconnected else { panic!("a reconnect with the generation is done") };
    let event = subject.last(&key).await;
    let told = Change::Reconnected { how: Comeback::Token, gap, from_replica: "b-2".into() };
    assert_eq!(event.change, told, "a reconnect tells where the session was before");
    view = SessionView { reconnect_count: 1, last_seen: now, origin: change.origin, ..view };
    assert_eq!(event.session.as_ref(), Some(&view), "and what it is now");

    assert!(subject.end(&key).await);
    let ended = subject.last(&key).await;
    assert_eq!(ended.change, Change::Terminated(EndReason::ClosedByClient));
    assert_eq!(ended.session.as_ref(), Some(&view), "an end tells what the session was");
}

/// An end tells its reason, and the last that was known of the session.
pub async fn an_end_is_told_with_its_reason(store: Arc<dyn Store>) {
    let subject = Subject(store);
    for reason in EndReason::ALL {
        let key = subject.open().await;
        let view = subject.view(&key).await;
        let ended = subject.0.end(&key, EndedBy::Operator, reason).await.expect("end works");
        assert_eq!(ended, Ended::Done { inner: None });
        let ended = subject.last(&key).await;
        assert_eq!((ended.change, ended.session), (Change::Terminated(reason), Some(view)));
    }
    let swept = [
        (EndReason::MaxLifetime, Lifetimes { max_lifetime: Some(Duration::ZERO), ..long() }),
        (EndReason::Abandoned, Lifetimes { handshake_timeout: Duration::ZERO, ..long() }),
        (EndReason::Expired, Lifetimes { idle_timeout: Duration::ZERO, expires_after: Duration::ZERO, ..long() }),
    ];
    for (reason, lifetimes) in swept {
        let key = subject.open().await;
        let mut view = subject.view(&key).await;
        subject.sweep(&lifetimes).await;
        if reason == EndReason::Expired {
            view.status = SessionStatus::Disconnected;
        }
        let ended = subject.last(&key).await;
        assert_eq!((ended.change, ended.session), (Change::Terminated(reason), Some(view)));
    }
}

/// A refused reconnect is recorded with the session, if there is one.
pub async fn a_refusal_is_told_with_the_session_it_was_about(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = subject.open().await;
    let view = subject.view(&key).await;
    let outcomes = ReconnectOutcome::ALL.into_iter().filter(|outcome| *outcome != ReconnectOutcome::Reconnected);
    let doors = [ReconnectDoor::Initialize, ReconnectDoor::Api, ReconnectDoor::Tool];
    for (outcome, door) in outcomes.zip(doors.into_iter().cycle()) {
        subject.refuse(&Refusal { session: Some(key), outcome, door }).await;
        let event = subject.last(&key).await;
        assert_eq!(event.change, Change::ReconnectRefused { outcome, door });
        assert_eq!(event.session.as_ref(), Some(&view), "a refusal tells of the session it was about");
    }
    subject.refuse(&REFUSAL).await;
    subject.refuse(&Refusal { session: Some(session().key), ..REFUSAL }).await;
    let told = subject.all_events().await.into_iter().filter(|event| event.session.is_none());
    let expected = Change::ReconnectRefused { outcome: REFUSAL.outcome, door: REFUSAL.door };
    let told: Vec<Change> = told.map(|event| event.change).collect();
    assert_eq!(told, vec![expected; 2], "a refusal without a session that lives is told without one");
}

/// What changes nothing is not recorded, nor is the retry of a reconnect.
pub async fn what_changes_nothing_is_not_recorded(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let given = session();
    subject.open_this(&given).await;
    let key = given.key;
    assert_eq!(subject.0.open(&given, None).await.unwrap(), Opening::KeyTaken);
    assert_eq!(subject.0.open(&session(), Some(0)).await.unwrap(), Opening::Full);
    subject.touch(&key, Duration::ZERO).await;
    assert_eq!(subject.revive(&key).await, Revival::AlreadyActive);
    assert!(!subject.end(&session().key).await);
    let change = Reconnection { nonce: NonceDigest::of(b"nonce"), ..successor(key, 0) };
    for retry in [false, true, true] {
        let reconnected = subject.0.reconnect(&change).await.unwrap();
        assert!(matches!(reconnected, Reconnected::Done { again, .. } if again == retry), "{reconnected:?}");
    }
    assert_eq!(subject.0.reconnect(&successor(key, 0)).await.unwrap(), Reconnected::Superseded);
    subject.sweep(&long()).await;
    let life: Vec<&str> = subject.lives().await[&key].iter().map(|event| event.change.name()).collect();
    assert_eq!(life, ["session_created", "session_reconnected"], "what changes nothing is not recorded");
}

/// Whoever makes a change, and however many try, it is recorded once.
pub async fn of_many_who_try_one_is_recorded(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let given = Arc::new(session());
    let key = given.key;
    at_once(MANY, |_| {
        let (subject, given) = (subject.clone(), Arc::clone(&given));
        async move { subject.0.open(&given, None).await.expect("open works") }
    })
    .await;
    let others = subject.open_many(40).await;
    sweep_by_many(&subject, idle_at_once()).await;
    at_once(MANY, |_| {
        let subject = subject.clone();
        async move { subject.revive(&key).await }
    })
    .await;
    at_once(MANY, |_| {
        let subject = subject.clone();
        async move { subject.0.reconnect(&successor(key, 0)).await.expect("reconnect works") }
    })
    .await;
    at_once(MANY, |_| {
        let subject = subject.clone();
        async move { subject.end(&key).await }
    })
    .await;
    sweep_by_many(&subject, AT_ONCE).await;
    let lives = subject.lives().await;
    let life = |key: &SessionKey| lives[key].iter().map(|event| event.change.name()).collect::<Vec<_>>();
    let expected =
        ["session_created", "session_disconnected", "session_reconnected", "session_reconnected", "session_terminated"];
    assert_eq!(life(&key), expected, "each transition is recorded once, in order");
    for other in &others {
        let expected = ["session_created", "session_disconnected", "session_terminated"];
        assert_eq!(life(other), expected, "of several sweepers one records a transition");
    }
    assert_eq!(lives.len(), others.len() + 1);
}

async fn sweep_by_many(subject: &Subject, lifetimes: Lifetimes) {
    subject.give(&lifetimes).await;
    at_once(20, |_| {
        let subject = subject.clone();
        async move { subject.sweep_on(10).await }
    })
    .await;
    subject.give(&long()).await;
}

/// Whatever happens at once, each session's events tell a life in order.
pub async fn the_events_of_a_session_are_in_order(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let lived = at_once(20, |i| {
        let subject = subject.clone();
        async move {
            let key = subject.open().await;
            for round in 0..(i % 4) {
                subject.disconnect_all().await;
                let generation = u32::try_from(round).expect("rounds are few");
                subject.0.reconnect(&successor(key, generation)).await.expect("reconnect works");
                let later = touch(key, Duration::ZERO);
                subject.0.touch(&[later]).await.expect("touch works");
            }
            subject.end(&key).await;
            (key, i % 4)
        }
    })
    .await;
    let lives = subject.lives().await;
    for (key, reconnects) in lived {
        let life = &lives[&key];
        assert_eq!(life.first().map(|event| &event.change), Some(&Change::Created), "a life begins with its opening");
        let end = life.last().map(|event| event.change.clone());
        assert_eq!(end, Some(Change::Terminated(EndReason::ClosedByClient)), "and ends with its end");
        let mut status = SessionStatus::Active;
        for event in &life[1..] {
            let before = std::mem::replace(&mut status, event.session.as_ref().expect("it is told of").status);
            match event.change {
                Change::Disconnected => {
                    assert_eq!((before, status), (SessionStatus::Active, SessionStatus::Disconnected));
                }
                Change::Reconnected { .. } => assert_eq!(status, SessionStatus::Active),
                _ => assert_eq!(before, status, "an end tells what the session was"),
            }
        }
        let tokens = |event: &&SessionEvent| matches!(event.change, Change::Reconnected { how: Comeback::Token, .. });
        assert_eq!(life.iter().filter(tokens).count(), reconnects);
    }
}
