//! Sessions are opened once and found as they are.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::fixture::{MANY, ROOMY, Subject, at_once, session, touch};
use crate::session::{SessionRecord, SessionStatus};
use crate::store::{Appended, Census, DataPut, DataRemoved, LogSlice, Opening, Revival, Store, TouchOutcome};

/// A record says what the session was opened with; it is active, of generation 0, and opened when `open` said.
pub async fn an_opened_session_is_found_as_it_was_given(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let mut anonymous = session();
    anonymous.origin.principal = None;
    anonymous.origin.inner_has_sessions = false;
    for given in [session(), anonymous] {
        let before = subject.now().await;
        let created_at = subject.open_this(&given).await;
        assert!(before <= created_at && created_at <= subject.now().await, "open tells the time by the store's clock");
        let expected = SessionRecord {
            key: given.key,
            digest: given.digest,
            generation: 0,
            status: SessionStatus::Active,
            created_at,
            lifetimes: given.lifetimes,
            origin: given.origin,
        };
        assert_eq!(subject.find(&given.key).await, Some(expected), "find returns what was opened");
    }
}

/// Opening a taken key changes nothing.
pub async fn a_taken_key_is_refused_and_its_session_untouched(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let first = session();
    subject.open_this(&first).await;
    let record = subject.find(&first.key).await;
    let mut second = session();
    second.key = first.key;
    second.handshake = Bytes::from_static(b"another");
    let opening = subject.0.open(&second, None).await.unwrap();
    assert_eq!(opening, Opening::KeyTaken, "a taken key is refused");
    assert_eq!(subject.find(&first.key).await, record, "the session on a taken key stays as it was");
    assert_eq!(subject.handshake(&first.key).await, Some(first.handshake), "and so does its handshake");
    subject.disconnect_all().await;
    let opening = subject.0.open(&second, None).await.unwrap();
    assert_eq!(opening, Opening::KeyTaken, "the key of a disconnected session is taken too");
    assert_eq!(
        subject.status(&first.key).await,
        Some(SessionStatus::Disconnected),
        "and the session stays disconnected"
    );
}

/// Concurrent openings of one key have one winner, and its session is the one that is found.
pub async fn of_many_openings_of_one_key_one_wins(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = session().key;
    let openings = at_once(MANY, |_| {
        let (subject, mut mine) = (subject.clone(), session());
        mine.key = key;
        async move { (mine.digest, subject.0.open(&mine, None).await.unwrap()) }
    })
    .await;
    let winners: Vec<_> = openings.iter().filter(|(_, opening)| *opening != Opening::KeyTaken).collect();
    assert_eq!(winners.len(), 1, "of concurrent openings of one key exactly one wins");
    assert_eq!(subject.find(&key).await.map(|record| record.digest), Some(winners[0].0), "the winner's session lives");
    assert_eq!(subject.0.census().await.unwrap().active, 1, "and it is one session");
}

/// A session that was never opened looks like nothing to every method, and is not made by asking.
pub async fn what_was_never_opened_is_nowhere(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let key = session().key;
    assert_eq!(subject.find(&key).await, None, "find invents no session");
    assert_eq!(subject.handshake(&key).await, None, "blueprint invents no session");
    let touched = subject.0.touch(&[touch(key, Duration::ZERO)]).await.unwrap();
    assert_eq!(touched.outcomes, [TouchOutcome::Gone], "a touch makes no session");
    assert_eq!(subject.revive(&key).await, Revival::Gone, "revive makes no session");
    assert_eq!(subject.put(&key, "name", b"value", 100).await, DataPut::Gone, "data_put makes no session");
    assert_eq!(subject.get(&key, "name").await, None, "data_get invents no value");
    assert_eq!(subject.remove(&key, "name").await, DataRemoved::Gone, "data_remove finds no session");
    let appended = subject.append_all(&key, "s", &[Bytes::from_static(b"m")], &ROOMY).await;
    assert_eq!(appended, Appended::Gone, "append makes no session");
    assert_eq!(subject.read(&key, "s", 0).await, LogSlice::default(), "read invents no message and no gap");
    assert!(!subject.end(&key).await, "there is nothing to end");
    subject.disconnect_all().await;
    assert_eq!(subject.0.census().await.unwrap(), Census::default(), "nothing of all this made a session");
}

/// A handshake of any bytes and some size is returned as it was.
pub async fn the_handshake_comes_back_byte_for_byte(store: Arc<dyn Store>) {
    let subject = Subject(store);
    for handshake in [Vec::new(), b"\0\r\n\xff{}".to_vec(), vec![b'x'; 300_000]] {
        let given = crate::session::NewSession { handshake: handshake.into(), ..session() };
        subject.open_this(&given).await;
        let found = subject.handshake(&given.key).await;
        assert_eq!(found, Some(given.handshake), "the handshake comes back byte for byte");
    }
}

/// The census is the number of sessions that live, by status.
pub async fn the_census_counts_by_status(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let gone = subject.open_many(3).await;
    subject.disconnect_all().await;
    let used = subject.open_many(2).await;
    let census = subject.0.census().await.unwrap();
    assert_eq!(census, Census { active: 2, disconnected: 3 }, "the census counts by status");
    subject.revive(&gone[0]).await;
    subject.end(&gone[1]).await;
    subject.end(&used[0]).await;
    let census = subject.0.census().await.unwrap();
    assert_eq!(census, Census { active: 2, disconnected: 1 }, "the census follows revivals and ends");
}

/// However many open at once, no more sessions live than may: as many as if they came one after the other.
pub async fn living_sessions_stay_within_a_cap(store: Arc<dyn Store>) {
    const CAP: Option<u64> = Some(5);
    let subject = Subject(store);
    let sessions: Arc<[_]> = (0..20).map(|_| session()).collect();
    let open = async |i: usize, cap: Option<u64>| subject.0.open(&sessions[i], cap).await.expect("open works");
    let lives = |opening: &Opening| matches!(opening, Opening::Opened { .. });
    for i in 0..20 {
        assert_eq!(open(i, Some(0)).await, Opening::Full, "where none may live none is opened");
    }
    let mut in_turn = 0;
    for i in 0..20 {
        in_turn += u64::from(lives(&open(i, CAP).await));
    }
    assert!(in_turn >= 5, "as many sessions are opened as may live, not {in_turn}");
    for session in sessions.iter() {
        subject.end(&session.key).await;
    }
    let openings = at_once(20, |i| {
        let (subject, sessions) = (subject.clone(), Arc::clone(&sessions));
        async move { subject.0.open(&sessions[i], CAP).await.expect("open works") }
    })
    .await;
    let living = openings.iter().filter(|opening| lives(opening)).count() as u64;
    assert_eq!(living, in_turn, "of those who come at once as many get in as of those who come in turn");
    let (first, refused) = (openings.iter().position(lives).unwrap(), openings.iter().position(|o| !lives(o)));
    if let Some(refused) = refused {
        assert_eq!(openings[refused], Opening::Full, "the others are told that there is no room");
        assert_eq!(subject.find(&sessions[refused].key).await, None, "and have no session");
    }
    subject.disconnect_all().await;
    for i in 0..20 {
        let opening = open(i, CAP).await;
        assert!(matches!(opening, Opening::Full | Opening::KeyTaken), "disconnected sessions live too: {opening:?}");
    }
    assert_eq!(subject.0.census().await.unwrap(), Census { active: 0, disconnected: living }, "and nothing changed");
    subject.end(&sessions[first].key).await;
    assert!(lives(&open(first, CAP).await), "a session that ended leaves room");
    assert!(lives(&subject.0.open(&session(), None).await.unwrap()), "without a cap there is always room");
}
