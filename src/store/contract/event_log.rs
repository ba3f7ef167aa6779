//! The log of what happened, as it is read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::time::timeout;

use super::fixture::{Subject, at_once};
use crate::audit::ReconnectDoor;
use crate::event::SessionEvent;
use crate::id::SessionKey;
use crate::outcome::ReconnectOutcome;
use crate::store::{Epoch, EventHead, EventSignal, EventSlice, Refusal, Store};

pub(super) const REFUSAL: Refusal =
    Refusal { session: None, outcome: ReconnectOutcome::RateLimited, door: ReconnectDoor::Initialize };

impl Subject {
    pub(super) async fn slice(&self, part: usize, after: u64, max: usize) -> EventSlice {
        self.0.events(part, after, max).await.expect("events can be read")
    }

    pub(super) async fn heads(&self) -> Vec<EventHead> {
        self.0.event_heads().await.expect("event_heads works")
    }

    pub(super) async fn refuse(&self, refusal: &Refusal) {
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
    pub(super) async fn lives(&self) -> HashMap<SessionKey, Vec<SessionEvent>> {
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
    pub(super) async fn last(&self, key: &SessionKey) -> SessionEvent {
        self.lives().await.remove(key).and_then(|mut life| life.pop()).expect("something happened to the session")
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
