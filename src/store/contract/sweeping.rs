//! What is due is noticed: not early, by one, and all of it.

use std::sync::Arc;
use std::time::Duration;

use super::fixture::{Subject, at_once, eventually, idle_at_once, long, session, touch};
use crate::id::SessionKey;
use crate::session::{EndReason, SessionStatus, millis};
use crate::store::{Census, Lifetimes, Store, Swept, Touch, TouchOutcome};

const SOON: Duration = Duration::from_millis(150);

fn idle_soon() -> Lifetimes {
    Lifetimes { idle_timeout: SOON, ..long() }
}

/// An active session unseen for the idle timeout becomes disconnected.
pub async fn an_idle_session_becomes_disconnected_and_not_early(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let given = session();
    let opened = subject.open_this(&given).await;
    let swept = eventually("an idle session becomes disconnected", async || {
        let swept = subject.sweep(&idle_soon()).await;
        (swept != Swept::default()).then_some(swept)
    })
    .await;
    let span = subject.now().await.since(opened);
    assert!(span >= SOON, "no session is idle early; this one after {} ms", millis(span));
    assert_eq!(swept, Swept { disconnected: vec![given.key], ..Swept::default() }, "a sweep reports the idle session");
    assert_eq!(subject.status(&given.key).await, Some(SessionStatus::Disconnected), "an idle session is disconnected");
    assert_eq!(subject.sweep(&idle_soon()).await, Swept::default(), "a transition is reported once");
}

/// A session unseen for its retention ends, and leaves nothing.
pub async fn an_unseen_session_ends_and_not_early(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let lifetimes = Lifetimes { idle_timeout: SOON / 2, expires_after: SOON, ..long() };
    let given = session();
    let opened = subject.open_this(&given).await;
    let mut all = Swept::default();
    eventually("an unseen session ends", async || {
        let swept = subject.sweep(&lifetimes).await;
        all.disconnected.extend(swept.disconnected);
        all.ended.extend(swept.ended);
        (!all.ended.is_empty()).then_some(())
    })
    .await;
    let span = subject.now().await.since(opened);
    assert!(span >= SOON, "no session expires early; this one after {} ms", millis(span));
    assert_eq!(all.disconnected, [given.key], "it became disconnected first, once");
    assert_eq!(all.ended, [(given.key, EndReason::Expired)], "it ended once, because it expired");
    assert_eq!(subject.find(&given.key).await, None, "an expired session is gone");
    assert_eq!(subject.0.census().await.unwrap(), Census::default(), "an expired session is not counted");
}

/// The maximum lifetime counts from the opening, for active and disconnected sessions alike.
pub async fn an_old_session_ends_even_if_it_is_used(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let lifetimes = Lifetimes { max_lifetime: Some(SOON), ..long() };
    let disconnected = subject.open().await;
    subject.disconnect_all().await;
    let given = session();
    let opened = subject.open_this(&given).await;
    let mut ended = Vec::new();
    eventually("an old session ends", async || {
        subject.touch(&given.key, Duration::ZERO).await;
        ended.extend(subject.sweep(&lifetimes).await.ended);
        (ended.len() == 2).then_some(())
    })
    .await;
    assert!(subject.now().await.since(opened) >= SOON, "no session is too old early");
    ended.sort_by_key(|(key, _)| *key != disconnected);
    let expected = [disconnected, given.key].map(|key| (key, EndReason::MaxLifetime));
    assert_eq!(ended, expected, "both ended once, because of their age");
    assert_eq!(subject.find(&given.key).await, None, "a session that is too old is gone");
}

/// A session whose handshake stays unconfirmed ends, once, whatever else its client does and whoever sweeps.
pub async fn an_unconfirmed_session_ends_and_not_early(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let lifetimes = Lifetimes { handshake_timeout: SOON, ..long() };
    let disconnected = subject.open().await;
    subject.disconnect_all().await;
    let given = session();
    let opened = subject.open_this(&given).await;
    let mut ended = Vec::new();
    eventually("an unconfirmed session ends", async || {
        subject.touch(&given.key, Duration::ZERO).await;
        ended.extend(subject.sweep(&lifetimes).await.ended);
        (ended.len() == 2).then_some(())
    })
    .await;
    let span = subject.now().await.since(opened);
    assert!(span >= SOON, "no session is abandoned early; this one after {} ms", millis(span));
    ended.sort_by_key(|(key, _)| *key != disconnected);
    let expected = [disconnected, given.key].map(|key| (key, EndReason::Abandoned));
    assert_eq!(ended, expected, "both ended once, because nobody confirmed them");
    assert_eq!(subject.find(&given.key).await, None, "an abandoned session is gone");
    let keys = subject.open_many(50).await;
    subject.give(&Lifetimes { handshake_timeout: Duration::ZERO, ..long() }).await;
    let at_once = at_once(10, |_| {
        let subject = subject.clone();
        async move { subject.sweep_on(20).await.ended }
    })
    .await;
    let mut ended: Vec<SessionKey> = at_once.concat().into_iter().map(|(key, _)| key).collect();
    ended.sort();
    assert_eq!(ended, keys, "each is reported by exactly one of several sweepers");
}

/// What confirms a session holds for good.
pub async fn a_confirmed_session_stays(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let over = Lifetimes { handshake_timeout: Duration::ZERO, ..long() };
    let confirm = async |key: &SessionKey| {
        let confirmed = Touch { confirms: true, ..touch(*key, Duration::ZERO) };
        subject.0.touch(&[touch(*key, Duration::ZERO), confirmed]).await.expect("touch works").outcomes
    };
    let disconnected = subject.open().await;
    subject.disconnect_all().await;
    assert_eq!(confirm(&disconnected).await, [TouchOutcome::Disconnected; 2], "a disconnected client may have been");
    let (active, reconnected) = (subject.open().await, subject.open().await);
    assert_eq!(confirm(&active).await, [TouchOutcome::Active; 2], "a touch confirms");
    subject.hand_over(&reconnected).await;
    let unconfirmed = subject.open().await;
    assert_eq!(subject.sweep(&over).await.ended, [(unconfirmed, EndReason::Abandoned)], "whoever had an answer stays");
    subject.revive(&disconnected).await;
    subject.disconnect_all().await;
    subject.hand_over(&reconnected).await;
    assert_eq!(subject.sweep(&over).await, Swept::default(), "whatever happens then");
    assert_eq!(subject.0.census().await.unwrap(), Census { active: 1, disconnected: 2 });
}

/// Sessions that are used, or not idle yet, or within their retention stay as they are.
pub async fn a_sweep_leaves_alone_what_is_not_due(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let disconnected = subject.open().await;
    subject.disconnect_all().await;
    let active = subject.open().await;
    let lifetimes = Lifetimes { max_lifetime: Some(long().idle_timeout), ..long() };
    assert_eq!(subject.sweep(&lifetimes).await, Swept::default(), "a sweep reports nothing when nothing is due");
    assert_eq!(subject.status(&active).await, Some(SessionStatus::Active), "what is not due stays active");
    assert_eq!(subject.status(&disconnected).await, Some(SessionStatus::Disconnected), "what is kept stays kept");
}

/// Whoever sweeps, each transition has one reporter.
pub async fn several_sweepers_report_each_transition_once(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let keys = subject.open_many(200).await;
    let all_at_once = async |lifetimes: Lifetimes| {
        subject.give(&lifetimes).await;
        let sweep = |_| {
            let subject = subject.clone();
            async move { subject.sweep_on(30).await }
        };
        at_once(10, sweep).await
    };
    let idle: Vec<Swept> = all_at_once(idle_at_once()).await;
    let mut disconnected: Vec<SessionKey> = idle.iter().flat_map(|swept| swept.disconnected.clone()).collect();
    disconnected.sort();
    assert_eq!(disconnected, keys, "each idle session is reported by exactly one of several sweepers");
    let expired = Lifetimes { expires_after: Duration::ZERO, max_lifetime: Some(Duration::ZERO), ..long() };
    let ends: Vec<Swept> = all_at_once(expired).await;
    let mut ended: Vec<SessionKey> = ends.iter().flat_map(|swept| swept.ended.iter().map(|(key, _)| *key)).collect();
    ended.sort();
    assert_eq!(ended, keys, "each end is reported by exactly one of several sweepers");
}

/// `more` leads through everything that is due, in sweeps that stay near their limit.
pub async fn sweeps_with_a_limit_get_through(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let keys = subject.open_many(25).await;
    subject.give(&idle_at_once()).await;
    let first = subject.0.sweep(Duration::ZERO, 10).await.unwrap();
    assert!((1..25).contains(&first.disconnected.len()), "a sweep stays near its limit of 10: {first:?}");
    assert!(first.more, "a sweep that leaves some says so");
    let rest = subject.sweep_on(10).await;
    let mut all = [first.disconnected, rest.disconnected].concat();
    all.sort();
    assert_eq!(all, keys, "sweeping on gets through all of them");
}

/// A session that is touched while others sweep is either found idle or not, and is in the store either way.
pub async fn a_sweep_racing_a_touch_loses_nothing(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let keys = subject.open_many(20).await;
    subject.give(&idle_at_once()).await;
    let reported: usize = at_once(20, |i| {
        let (subject, key) = (subject.clone(), keys[i]);
        async move {
            subject.touch(&key, Duration::ZERO).await;
            let reported = subject.sweep_on(1000).await.disconnected.len();
            subject.touch(&key, Duration::ZERO).await;
            reported
        }
    })
    .await
    .iter()
    .sum();
    assert_eq!(reported, keys.len(), "each session is found idle once, touched or not");
    let census = subject.0.census().await.unwrap();
    assert_eq!(census, Census { active: 0, disconnected: 20 }, "each session is in exactly one place");
}

/// A session that was due and is touched before the sweep gets to it is not idle any more.
pub async fn a_touch_in_time_keeps_a_session_active(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let lifetimes = Lifetimes { idle_timeout: 3 * SOON, ..long() };
    let keys = Arc::new(subject.open_many(200).await);
    subject.give(&lifetimes).await;
    subject.pass(lifetimes.idle_timeout).await;
    let touched = at_once(204, |i| {
        let (subject, keys) = (subject.clone(), Arc::clone(&keys));
        async move {
            let Some(key) = keys.get(i) else {
                subject.sweep_on(20).await;
                return None;
            };
            let touched = subject.0.touch(&[touch(*key, Duration::ZERO)]).await.expect("touch works");
            (touched.outcomes == [TouchOutcome::Active]).then_some((*key, touched.now))
        }
    })
    .await;
    for (key, seen) in touched.into_iter().flatten() {
        let status = subject.status(&key).await;
        let idle = subject.now().await.since(seen) >= lifetimes.idle_timeout;
        assert!(
            idle || status == Some(SessionStatus::Active),
            "a touch in time keeps a session active, not {status:?}"
        );
    }
}
