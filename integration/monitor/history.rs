//! A random history on three replicas, followed by viewers on all of them over all transports who are cut off all the time:
//! every one ends in the store's truth, and was told every event exactly once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tower_mcp_sessions::monitor::Role;
use tower_mcp_sessions::store::EventLog;
use tower_mcp_sessions::{RateLimits, ReconnectKeys, SessionLayerBuilder};

use super::REVISION;
use super::dice::Dice;
use super::viewer::{Book, Transport, Viewer};
use crate::harness::backend::{Backend, SharedStore};
use crate::harness::eventually::{eventually, within};
use crate::harness::login::everybody_as;
use crate::harness::raw::{Client, RECONNECT_TOKEN, SESSION_ID, Session, VERSION, initialize, notification};
use crate::harness::replica::Replica;
use crate::harness::size::size;
use crate::harness::trio::Trio;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_viewers_end_in_the_truth_of_memory() {
    all_viewers_end_in_the_truth(Backend::Memory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_viewers_end_in_the_truth_of_redis() {
    all_viewers_end_in_the_truth(Backend::Redis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_viewers_end_in_the_truth_of_many_shards() {
    all_viewers_end_in_the_truth(Backend::ShardedRedis).await;
}

const IDLE: Duration = Duration::from_secs(1);

/// Clients at the same time.
const CLIENTS: u64 = 12;

/// When all is over, how long a test may wait for the rest before it is taken to hang: no figure, only patience with a busy machine.
const SETTLED_WITHIN: Duration = Duration::from_secs(120);

fn options(_: usize, builder: SessionLayerBuilder) -> SessionLayerBuilder {
    let keys = ReconnectKeys::new("first", b"of the viewers' tests, 32 bytes or more").expect("a good key");
    builder.idle_timeout(IDLE).reconnect(keys).rate_limits(RateLimits::off())
}

async fn all_viewers_end_in_the_truth(backend: Backend) {
    let cuts = viewers_of_a_history(SharedStore::patient(backend).await, size(1000, 2200), size(250, 100)).await;
    assert!(cuts >= size(50, 1000), "{cuts}");
}

/// Watches so many sessions live and end. Some viewers are cut off all the time, after so many milliseconds on average; returns
/// how often.
pub(super) async fn viewers_of_a_history(store: SharedStore, sessions: usize, cut_every: usize) -> usize {
    let trio = Arc::new(Trio::monitored(store, options, |m| m.access(everybody_as(Role::View))).await);
    let mut dice = Dice::new();
    let addresses = trio.replicas.each_ref().map(|replica| replica.address);
    let mut viewers = Vec::new();
    for replica in addresses {
        for transport in Transport::ALL {
            // One stays where it is, one moves from replica to replica.
            viewers.push(Viewer::follow(transport, vec![replica], dice.fork(), None));
            viewers.push(Viewer::follow(transport, addresses.to_vec(), dice.fork(), Some(cut_every as u64)));
        }
    }
    eventually("all viewers watch", async || viewers.iter().all(|viewer| viewer.book().cursor.is_some())).await;

    let begun = Instant::now();
    let sessions = sessions as u64 / CLIENTS;
    let clients = (0..CLIENTS).map(|_| tokio::spawn(live(Arc::clone(&trio), dice.fork(), sessions)));
    join_all(clients.collect::<Vec<_>>()).await.into_iter().for_each(|lived| lived.expect("a client lived"));
    within(SETTLED_WITHIN, "nobody is active any more", async || trio.store.counts().await.0 == 0).await;

    let truth = Truth::of(&trio).await;
    println!("{} sessions live, {} events, in {:?}", truth.sessions.len(), truth.events.len(), begun.elapsed());
    viewers.iter().for_each(Viewer::leave_in_peace);
    for viewer in &viewers {
        within(SETTLED_WITHIN, "a viewer knows the truth", async || truth.is_told_by(&viewer.book())).await;
    }
    let mut all_cuts = 0;
    for viewer in &viewers {
        let (book, cuts) = (viewer.book(), *viewer.cuts.lock().unwrap());
        all_cuts += cuts;
        let lost = truth.events.len() - truth.events.iter().filter(|event| book.told.contains_key(*event)).count();
        println!(
            "{:?}: {cuts} cuts, {} snapshots, {} misfits, {} events told, {lost} lost, {} doubled, {} out of order",
            viewer.transport,
            book.snapshots,
            book.misfits,
            book.told.len(),
            book.doubled(),
            book.disorders,
        );
        assert_eq!((book.doubled(), book.disorders), (0, 0));
        // What happened between two snapshots may be left out; but there is no reason for a second one.
        assert!(lost == 0 || book.snapshots > 1, "{lost} lost");
        assert_eq!((book.snapshots, book.misfits), (1, 0));
    }
    println!("{all_cuts} cuts");
    all_cuts
}

/// What the store itself says.
pub(super) struct Truth {
    /// Status and generation.
    sessions: BTreeMap<String, (String, u64, String)>,
    events: Vec<(String, u64, String)>,
}

impl Truth {
    async fn of(trio: &Trio) -> Self {
        Self::at(&trio.replicas[0], &trio.store).await
    }

    pub(super) async fn at(replica: &Replica, store: &SharedStore) -> Self {
        let sessions = listed(&Client::of(replica)).await;
        let (active, disconnected) = store.counts().await;
        assert_eq!(sessions.len() as u64, active + disconnected, "the list is whole");
        Self { sessions, events: events(store).await }
    }

    /// Whether a viewer knows how it ended, and was told of everything since it began.
    pub(super) fn is_told_by(&self, book: &Book) -> bool {
        let is_complete = book.snapshots > 1 || book.told.len() == self.events.len();
        self.holds(book) && is_complete
    }

    /// Whether a viewer knows how it ended.
    pub(super) fn holds(&self, book: &Book) -> bool {
        let told: BTreeMap<_, _> = book.sessions.iter().map(|(key, session)| (key.clone(), essence(session))).collect();
        told == self.sessions && book.state == "live"
    }
}

fn essence(session: &Value) -> (String, u64, String) {
    let text = |name: &str| session[name].as_str().expect("text").to_owned();
    (text("status"), session["reconnect_count"].as_u64().expect("a count"), text("replica"))
}

/// All pages of the list.
async fn listed(client: &Client) -> BTreeMap<String, (String, u64, String)> {
    let (mut found, mut cursor) = (BTreeMap::new(), String::new());
    loop {
        let path = format!("/api/mcp/sessions?limit=100&cursor={cursor}");
        let page = client.at_path(path).get().await.whole().await.json();
        for session in page["sessions"].as_array().expect("sessions") {
            let key = session["session_id"].as_str().unwrap().to_owned();
            assert!(found.insert(key, essence(session)).is_none(), "listed twice: {session}");
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => return found,
        }
    }
}

/// All events of the log.
async fn events(store: &SharedStore) -> Vec<(String, u64, String)> {
    let mut found = Vec::new();
    for (part, head) in store.event_heads().await.unwrap().into_iter().enumerate() {
        let mut after = 0;
        while after < head.offset {
            let slice = store.events(part, after, 1000).await.unwrap();
            assert!(!slice.gap, "the log holds the whole history");
            for event in slice.events {
                after = event.offset;
                let key = event.session.map(|session| session.key.to_string()).unwrap_or_default();
                found.push((key, event.offset, event.change.name().to_owned()));
            }
        }
    }
    found
}

/// A client that opens so many sessions, one after the other, and uses some of them in the meantime.
async fn live(trio: Arc<Trio>, mut dice: Dice, sessions: u64) {
    let mut held: Vec<Held> = Vec::new();
    let client = Client::of(&trio.replicas[0]);
    for _ in 0..sessions {
        let replica = |dice: &mut Dice| &trio.replicas[dice.below(3) as usize];
        held.push(Held::open(&client.at(replica(&mut dice))).await);
        for _ in 0..dice.below(4) {
            let at = dice.below(held.len() as u64) as usize;
            let replica = replica(&mut dice);
            match dice.below(8) {
                0..4 => assert_eq!(held[at].session.at(replica).status().await, StatusCode::OK),
                4 | 5 => held[at].reconnect(&client.at(replica)).await,
                6 => {
                    let ended = held.swap_remove(at).session.at(replica).delete().await;
                    assert_eq!(ended.status, StatusCode::NO_CONTENT);
                }
                _ => sleep(Duration::from_millis(dice.below(200))).await,
            }
            if held.is_empty() {
                break;
            }
        }
    }
}

/// A session and the token for it.
struct Held {
    session: Session,
    token: String,
}

impl Held {
    async fn open(client: &Client) -> Self {
        let answer = client.post(&initialize(REVISION)).await.whole().await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let (id, token) = (answer.session_id().expect("an id"), answer.headers[RECONNECT_TOKEN].to_str().unwrap());
        let client = client.with(SESSION_ID, &id).with(VERSION, REVISION);
        assert_eq!(client.post(&notification("notifications/initialized")).await.status, StatusCode::ACCEPTED);
        Self { session: Session { id, client }, token: token.to_owned() }
    }

    async fn reconnect(&mut self, client: &Client) {
        let path = format!("/api/mcp/sessions/{}/reconnect", self.session.key());
        let answer = client.at_path(path).post(&json!({ "token": self.token })).await.whole().await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let renewed = answer.json();
        let id = renewed["mcp_session_id"].as_str().expect("an id").to_owned();
        self.token = renewed["reconnect_token"].as_str().expect("a token").to_owned();
        let client = client.with(SESSION_ID, &id).with(VERSION, REVISION);
        self.session = Session { id, client };
    }
}
