//! What happens is recorded with the change, once, in order.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::time::timeout;

use super::fixture::{MANY, Subject, at_once, idle_at_once, long, session, touch};
use crate::audit::ReconnectDoor;
use crate::event::{Change, Comeback, SessionEvent, SessionView};
use crate::id::{NonceDigest, SessionKey};
use crate::outcome::ReconnectOutcome;
use crate::session::{ClientInfo, EndReason, SessionOrigin, SessionStatus};
use crate::store::{
    Epoch, EventHead, EventSignal, EventSlice, Lifetimes, Opening, Reconnected, Reconnection, Refusal, Revival, Store,
};

/// A new holder for a session of that generation, on a replica and with a client of its own.
pub(super) fn successor(key: SessionKey, generation: u32) -> Reconnection {
    let given = session();
    let client = ClientInfo { name: "successor".into(), version: String::new() };
    let origin = SessionOrigin { client, replica: "c \"3\"".into(), ..given.origin };
    Reconnection { key, generation, digest: given.digest, origin, handshake: Some(given.handshake), nonce: None }
}

const REFUSAL: Refusal =
    Refusal { session: None, outcome: ReconnectOutcome::RateLimited, door: ReconnectDoor::Initialize };

const AT_ONCE: Lifetimes = Lifetimes {
    idle_timeout: Duration::ZERO,
    expires_after: Duration::ZERO,
    max_lifetime: Some(Duration::ZERO),
    handshake_timeout: Duration::ZERO,
};

impl Subject {
    async fn slice(&self, part: usize, after: u64, max: usize) -> EventSlice {
        self.0.events(part, after, max).await.expect("events can be read")
    }

    async fn heads(&self) -> Vec<EventHead> {
        self.0.event_heads().await.expect("event_heads works")
    }

    async fn refuse(&self, refusal: &Refusal) {
        self.0.record_refusal(refusal).await.expect("record_refusal works");
    }

    /// All events of a part that has lost none, read in pages. Their offsets rise by one, from one on, in one epoch.
    async fn events_of(&self, part: usize) -> Vec<SessionEvent> {
        let (mut events, mut epoch) = (Vec::new(), None);
        loop {
            let slice = self.slice(part, events.len() as u64, 100).await;
            assert!(!slice.gap, "nothing was dropped yet, so there is no gap");
            let epoch: &Epoch = epoch.get_or_insert(slice.head.epoch.clone());
            assert_eq!(*epoch, slice.head.epoch, "the epoch stays as long as nothing is lost");
            assert!(slice.events.len() <= 100, "a slice ends at its maximum");
            if slice.events.is_empty() {
                assert_eq!(slice.head.offset, events.len() as u64, "the events read are all that the head tells of");
                return events;
            }
            for event in slice.events {
                assert_eq!(event.offset, events.len() as u64 + 1, "offsets rise by one, from one on");
                events.push(event);
            }
        }
    }

    /// All events of a store that has lost none.
    pub(super) async fn all_events(&self) -> Vec<SessionEvent> {
        let mut all = Vec::new();
        for part in 0..self.heads().await.len() {
            all.extend(self.events_of(part).await);
        }
        all
    }

    /// What happened to each session, in order.
    async fn lives(&self) -> HashMap<SessionKey, Vec<SessionEvent>> {
        let mut lives = HashMap::<_, Vec<_>>::new();
        for part in 0..self.heads().await.len() {
            for event in self.events_of(part).await {
                let Some(session) = &event.session else { continue };
                assert_eq!(self.0.event_part(&session.key), part, "a session's events are in the part that is told");
                lives.entry(session.key).or_default().push(event);
            }
        }
        lives
    }

    /// What happened to a session last.
    async fn last(&self, key: &SessionKey) -> SessionEvent {
        self.lives().await.remove(key).and_then(|mut life| life.pop()).expect("something happened to the session")
    }

    pub(super) async fn view(&self, key: &SessionKey) -> SessionView {
        self.0.view(key).await.expect("view works").expect("the session lives")
    }
}

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
    let reconnected = subject.0.reconnect(&change, &long()).await.expect("reconnect works");
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
        assert!(subject.0.end(&key, reason).await.expect("end works"));
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
    assert_eq!(subject.0.open(&given, &long(), None).await.unwrap(), Opening::KeyTaken);
    assert_eq!(subject.0.open(&session(), &long(), Some(0)).await.unwrap(), Opening::Full);
    subject.touch(&key, Duration::ZERO).await;
    assert_eq!(subject.revive(&key).await, Revival::AlreadyActive);
    assert!(!subject.end(&session().key).await);
    let change = Reconnection { nonce: NonceDigest::of(b"nonce"), ..successor(key, 0) };
    for retry in [false, true, true] {
        let reconnected = subject.0.reconnect(&change, &long()).await.unwrap();
        assert!(matches!(reconnected, Reconnected::Done { again, .. } if again == retry), "{reconnected:?}");
    }
    assert_eq!(subject.0.reconnect(&successor(key, 0), &long()).await.unwrap(), Reconnected::Superseded);
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
        async move { subject.0.open(&given, &long(), None).await.expect("open works") }
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
        async move { subject.0.reconnect(&successor(key, 0), &long()).await.expect("reconnect works") }
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
    at_once(20, |_| {
        let subject = subject.clone();
        async move { subject.sweep_until_done(&lifetimes, 10).await }
    })
    .await;
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
                subject.0.reconnect(&successor(key, generation), &long()).await.expect("reconnect works");
                let later = touch(key, Duration::ZERO);
                subject.0.touch(&[later], &long()).await.expect("touch works");
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

/// From whatever offset one reads on, one gets the rest.
pub async fn reading_on_from_any_offset_gives_the_rest(store: Arc<dyn Store>) {
    let subject = Subject(store);
    for _ in 0..20 {
        subject.refuse(&REFUSAL).await;
        let key = subject.open().await;
        subject.end(&key).await;
    }
    for part in 0..subject.heads().await.len() {
        let all = subject.events_of(part).await;
        for after in 0..=all.len() {
            let slice = subject.slice(part, after as u64, 7).await;
            let expected = &all[after..(after + 7).min(all.len())];
            assert_eq!(slice.events, expected, "reading on after {after} gives what follows, to the maximum");
            assert!(!slice.gap, "and no gap where nothing is missing");
        }
        let beyond = subject.slice(part, all.len() as u64 + 5, 7).await;
        assert_eq!((beyond.events, beyond.gap), (vec![], false), "there is nothing beyond the end");
    }
}

/// A log is capped; that events are no longer kept is told to those who have not read them, and to nobody else.
pub async fn what_a_log_no_longer_keeps_is_a_gap(store: Arc<dyn Store>) {
    const EVENTS: u64 = 12_000;
    let subject = Subject(store);
    let before: u64 = subject.heads().await.iter().map(|head| head.offset).sum();
    at_once(20, |_| {
        let subject = subject.clone();
        async move {
            for _ in 0..EVENTS / 20 {
                subject.refuse(&REFUSAL).await;
            }
        }
    })
    .await;
    let heads = subject.heads().await;
    assert_eq!(heads.iter().map(|head| head.offset).sum::<u64>(), before + EVENTS, "each event has an offset");
    for (part, head) in heads.iter().enumerate().filter(|(_, head)| head.offset > 0) {
        let slice = subject.slice(part, 0, usize::try_from(EVENTS).expect("it fits")).await;
        let first = slice.events.first().expect("the newest events are kept").offset;
        assert_eq!(slice.gap, first > 1, "there is a gap exactly if the first event is no longer kept");
        let offsets: Vec<u64> = slice.events.iter().map(|event| event.offset).collect();
        assert_eq!(offsets, (first..=head.offset).collect::<Vec<_>>(), "what is kept has no holes and goes to the end");
        assert!(!subject.slice(part, first - 1, 1).await.gap, "who has read all that was dropped misses nothing");
        if first > 2 {
            assert!(subject.slice(part, first - 2, 1).await.gap, "who has not is told so");
        }
    }
}

/// As long as nothing is lost, nobody can begin another epoch.
pub async fn a_log_that_lost_nothing_keeps_its_epoch(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let early = subject.heads().await;
    subject.open_many(20).await;
    let heads = subject.heads().await;
    for (part, head) in heads.iter().enumerate() {
        let elsewhere = Epoch::parse("another").expect("it is a name");
        let ahead = EventHead { epoch: elsewhere, offset: head.offset + 10 };
        for known in [&early[part], head, &ahead] {
            let renewed = subject.0.renew_epoch(part, known).await.expect("renew_epoch works");
            assert_eq!(renewed, *head, "a log that is not behind keeps its epoch");
        }
    }
    assert_eq!(subject.heads().await, heads);
}

/// Whoever listens hears each event as it is recorded, or that some may have been missed.
pub async fn who_watches_hears_of_each_event(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let mut first = subject.0.hear_events().await.expect("hear_events works");
    let key = subject.open().await;
    let mut second = subject.0.hear_events().await.expect("a second one may listen");
    subject.disconnect_all().await;
    subject.revive(&key).await;
    subject.refuse(&Refusal { session: Some(key), ..REFUSAL }).await;
    subject.end(&key).await;
    let life = subject.lives().await.remove(&key).expect("the session lived");
    hears(&subject, &mut first, &life).await;
    hears(&subject, &mut second, &life[1..]).await;
}

/// Waits for events in order; what was recorded before one listened may be heard too.
async fn hears(subject: &Subject, listener: &mut BoxStream<'static, EventSignal>, expected: &[SessionEvent]) {
    let heads = subject.heads().await;
    let mut expected = expected.iter().peekable();
    while let Some(next) = expected.peek() {
        let signal = timeout(Duration::from_secs(20), listener.next()).await.expect("a listener hears something");
        match signal.expect("the events do not end while the store lives") {
            EventSignal::Event { event, .. } if event.offset < next.offset => {}
            EventSignal::Event { part, epoch, event } => {
                assert_eq!(heads[part].epoch, epoch, "what is heard is of the log's epoch");
                assert_eq!(Some(&*event), expected.next(), "what is heard is what was recorded");
            }
            EventSignal::Gap => return,
        }
    }
}
