//! The sessions as a whole.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::fixture::{Subject, at_once, idle_at_once, long, session, touch};
use super::recording::successor;
use crate::audit::ReconnectDoor;
use crate::event::{Change, SessionEvent};
use crate::id::SessionKey;
use crate::outcome::ReconnectOutcome;
use crate::session::{ClientInfo, NewSession, SessionStatus, millis};
use crate::store::{AgeLimits, Ages, Bucket, ClientUse, Lifetimes, Refusal, Store, Vitals};

const PASS: Duration = Duration::from_millis(60);

impl Subject {
    async fn vitals(&self) -> Vitals {
        self.0.vitals(&AgeLimits::default()).await.expect("vitals works")
    }

    async fn open_by(&self, client: usize) -> SessionKey {
        let given = of_client(client);
        self.open_this(&given).await;
        given.key
    }
}

fn of_client(number: usize) -> NewSession {
    let mut given = session();
    let version = if number == 0 { String::new() } else { number.to_string() };
    given.origin.client = ClientInfo { name: format!("client \"{}\"\n", number / 2), version };
    given
}

fn sum(history: &[Bucket]) -> Bucket {
    history.iter().fold(Bucket::default(), |sum, bucket| Bucket {
        opened: sum.opened + bucket.opened,
        disconnected: sum.disconnected + bucket.disconnected,
        reconnected: sum.reconnected + bucket.reconnected,
        ended: sum.ended + bucket.ended,
        ended_active: sum.ended_active + bucket.ended_active,
        lived_ms: sum.lived_ms + bucket.lived_ms,
        refused: sum.refused + bucket.refused,
        modern: sum.modern + bucket.modern,
    })
}

/// Counts are right, and the last five minutes are the last of a day.
pub async fn vitals_count_what_was_done(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let nothing = subject.vitals().await;
    assert_eq!((nothing.active, nothing.disconnected, nothing.lived), (0, 0, Duration::ZERO));
    assert_eq!(nothing.history, vec![Bucket::default(); Bucket::A_DAY], "a day without sessions is a day");
    assert_eq!(nothing.clients, []);

    let returned = subject.open_by(1).await;
    subject.pass(PASS).await;
    subject.disconnect_all().await;
    subject.revive(&returned).await;
    let disconnected = subject.open_by(0).await;
    subject.sweep(&idle_at_once()).await;
    subject.revive(&returned).await;
    let ended = [subject.open_by(1).await, disconnected];
    subject.0.reconnect(&successor(returned, 0)).await.expect("reconnect works");
    let refusal = Refusal { session: None, outcome: ReconnectOutcome::InvalidToken, door: ReconnectDoor::Tool };
    subject.0.record_refusal(&refusal).await.expect("record_refusal works");
    let named = |name: &str, version: &str| ClientInfo { name: name.to_owned(), version: version.to_owned() };
    for (client, requests) in [(named("modern", "2"), 40), (named("successor", ""), 1), (named("modern", "2"), 1)] {
        subject.0.count_modern(&client, requests).await.expect("count_modern works");
    }
    let before = subject.vitals().await;
    assert_eq!((before.active, before.disconnected), (2, 1), "sessions are counted by status");
    let clients =
        [("successor", "", 1, 1), ("client \"0\"\n", "", 1, 0), ("client \"0\"\n", "1", 1, 0), ("modern", "2", 0, 41)];
    let clients =
        clients.map(|(name, version, sessions, modern)| ClientUse { client: named(name, version), sessions, modern });
    assert_eq!(before.clients, clients, "and by client; a reconnected one by its new client, and who needs no session");
    for key in ended {
        assert!(subject.end(&key).await);
    }
    let after = subject.vitals().await;
    assert_eq!((after.active, after.disconnected), (1, 0));
    let view = subject.view(&returned).await;
    assert_eq!(after.lived, view.last_seen.since(view.created_at), "what lives has lived until it was last seen");
    assert!(after.lived >= PASS);
    assert!(after.now >= before.now && subject.now().await >= after.now, "vitals tell the store's clock");
    let expected = Bucket {
        opened: 3,
        disconnected: 3,
        reconnected: 3,
        ended: 2,
        ended_active: 1,
        lived_ms: 0,
        refused: 1,
        modern: 42,
    };
    assert_eq!(sum(&after.history), expected, "what happened is counted");
    assert_eq!(after.history.len(), Bucket::A_DAY);
    assert_eq!(sum(&after.history[Bucket::A_DAY - 3..]), expected, "in the last five minutes of the day");
}

/// A flood of names that anybody can make up costs no more than some.
pub async fn too_many_clients_are_not_told_apart(store: Arc<dyn Store>) {
    let subject = Subject(store);
    let known = ClientInfo { name: "known".to_owned(), version: String::new() };
    for number in 0..60 {
        let unknown = ClientInfo { name: format!("unknown {number}"), version: String::new() };
        for client in [&known, &unknown] {
            subject.0.count_modern(client, 1).await.expect("count_modern works");
        }
    }
    let vitals = subject.vitals().await;
    assert_eq!(sum(&vitals.history).modern, 120, "every request is counted");
    assert_eq!((&vitals.clients[0].client, vitals.clients[0].modern), (&known, 60), "who is known stays known");
    assert!(vitals.clients.len() <= 50, "{} clients", vitals.clients.len());
}

/// Sessions of both kinds count by how long they were idle.
pub async fn ages_are_counted_by_the_limits_given(store: Arc<dyn Store>) {
    let subject = Subject(store);
    for count in 1..=3 {
        subject.open_many(count).await;
        subject.disconnect_all().await;
        subject.open().await;
        subject.pass(Duration::from_millis(300)).await;
    }
    for (healthy, stale) in [(450, 750), (450, 450), (750, 450), (3_600_000, 7_200_000), (0, 0), (0, 3_600_000)] {
        let limits = AgeLimits { healthy: Duration::from_millis(healthy), stale: Duration::from_millis(stale) };
        let vitals = subject.0.vitals(&limits).await.expect("vitals works");
        let mut expected = Ages::default();
        for view in subject.pages(None, 100).await {
            match vitals.now.since(view.last_seen) {
                idle if idle < limits.healthy => expected.healthy += 1,
                idle if idle > limits.stale => expected.stale += 1,
                _ => expected.aging += 1,
            }
        }
        assert_eq!(vitals.ages, expected, "healthy below {healthy} ms, stale above {stale} ms");
    }
}

/// Small numbers that look random and are always the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits fit") % sides
    }
}

/// Whatever was done, also at once, the counts are what counting gives.
pub async fn vitals_equal_a_recount_whatever_was_done(store: Arc<dyn Store>) {
    let subject = Subject(store);
    for round in 0..3 {
        at_once(8, |i| {
            let subject = subject.clone();
            async move { live_at_random(&subject, Dice(round * 100 + i as u64)).await }
        })
        .await;
        assert_counts_are_right(&subject).await;
    }
    subject.disconnect_all().await;
    subject.sweep_until_done(&Lifetimes { expires_after: Duration::ZERO, ..long() }, 1000).await;
    assert_counts_are_right(&subject).await;
    let vitals = subject.vitals().await;
    assert_eq!((vitals.active, vitals.disconnected, vitals.lived), (0, 0, Duration::ZERO), "nothing is left over");
    assert_eq!(vitals.clients, [], "nor any client");
}

async fn live_at_random(subject: &Subject, mut dice: Dice) {
    let mut keys = vec![subject.open_by(dice.roll(6)).await];
    for _ in 0..60 {
        let key = keys[dice.roll(keys.len())];
        match dice.roll(12) {
            0 | 1 => keys.push(subject.open_by(dice.roll(6)).await),
            2..=5 => {
                let ages = [0, 5, 50].map(|age| touch(key, Duration::from_millis(age)));
                subject.0.touch(&ages[dice.roll(3)..]).await.expect("touch works");
            }
            6 => drop(subject.sweep(&Lifetimes { idle_timeout: PASS / 4, ..long() }).await),
            7 => drop(subject.revive(&key).await),
            8 => {
                let Some(record) = subject.find(&key).await else { continue };
                let mut change = successor(key, record.generation);
                change.origin.client = of_client(dice.roll(6)).origin.client;
                subject.0.reconnect(&change).await.expect("reconnect works");
            }
            9 => drop(subject.end(&key).await),
            10 => sleep(Duration::from_millis(3)).await,
            _ => {
                let outcome = ReconnectOutcome::TokenExpired;
                let refusal = Refusal { session: Some(key), outcome, door: ReconnectDoor::Api };
                subject.0.record_refusal(&refusal).await.expect("record_refusal works");
            }
        }
    }
}

async fn assert_counts_are_right(subject: &Subject) {
    let (vitals, views) = (subject.vitals().await, subject.pages(None, 1000).await);
    let count = |status| views.iter().filter(|view| view.status == status).count() as u64;
    assert_eq!(vitals.active, count(SessionStatus::Active));
    assert_eq!(vitals.disconnected, count(SessionStatus::Disconnected));
    let lived: Duration = views.iter().map(|view| view.last_seen.since(view.created_at)).sum();
    assert_eq!(vitals.lived, lived, "what the sessions lived is what they lived, summed up");
    let mut clients = HashMap::new();
    for view in &views {
        let client = &view.origin.client;
        *clients.entry(client.clone()).or_insert(0) += 1;
    }
    assert_eq!(vitals.clients, ClientUse::ranked(clients, HashMap::new()), "clients are counted");
    let recounted = subject.all_events().await.iter().fold(Bucket::default(), recount);
    assert_eq!(sum(&vitals.history), recounted, "each event is counted once");
}

fn recount(mut bucket: Bucket, event: &SessionEvent) -> Bucket {
    match &event.change {
        Change::Created => bucket.opened += 1,
        Change::Disconnected => bucket.disconnected += 1,
        Change::Reconnected { .. } => bucket.reconnected += 1,
        Change::Adopted => {}
        Change::ReconnectRefused { .. } => bucket.refused += 1,
        Change::Terminated(_) => {
            let session = event.session.as_ref().expect("an end tells what the session was");
            bucket.ended += 1;
            bucket.ended_active += u64::from(session.status == SessionStatus::Active);
            bucket.lived_ms += millis(session.last_seen.since(session.created_at));
        }
    }
    bucket
}
