//! A viewer as the protocol wants it, over any transport: it keeps a book, applies a delta only to what it stands on, and comes
//! back with its cursor, to any replica.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::dice::Dice;
use super::socket::Knock;
use crate::harness::raw::{Client, Events};

/// How a viewer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    WebSocket,
    Sse,
    Polling,
}

impl Transport {
    pub(super) const ALL: [Self; 3] = [Self::WebSocket, Self::Sse, Self::Polling];
}

/// What a viewer knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    pub(super) cursor: Option<String>,
    /// By key.
    pub(super) sessions: BTreeMap<String, Value>,
    /// How often each event of the log was told: by key, offset and type.
    pub(super) told: HashMap<(String, u64, String), usize>,
    /// The offsets of each session's events, in the order in which they were told.
    order: HashMap<String, u64>,
    pub(super) disorders: usize,
    pub(super) snapshots: usize,
    /// Updates that did not follow on what the viewer stood on.
    pub(super) misfits: usize,
    pub(super) state: String,
}

impl Book {
    /// Takes an update in; `false` if it does not follow.
    pub(super) fn apply(&mut self, update: &Value) -> bool {
        let is_snapshot = update["mode"] == "snapshot";
        let follows = update["from"].as_str() == self.cursor.as_deref();
        if is_snapshot && update["from"].is_null() {
            self.sessions.clear();
            self.snapshots += 1;
        } else if !follows {
            self.misfits += 1;
            return false;
        }
        for event in update["events"].as_array().expect("events") {
            self.take(event);
        }
        self.cursor = update["to"].as_str().map(str::to_owned);
        self.state = update["state"].as_str().expect("a state").to_owned();
        true
    }

    fn take(&mut self, event: &Value) {
        let (session, kind) = (&event["session"], event["type"].as_str().expect("a type"));
        let key = session["session_id"].as_str().unwrap_or_default().to_owned();
        if kind != "session_updated" {
            let offset = event["n"].as_u64().expect("an offset");
            *self.told.entry((key.clone(), offset, kind.to_owned())).or_default() += 1;
            self.disorders += usize::from(self.order.insert(key.clone(), offset).is_some_and(|last| last >= offset));
        }
        match kind {
            "session_terminated" => drop(self.sessions.remove(&key)),
            _ if session.is_null() => {}
            _ => drop(self.sessions.insert(key, session.clone())),
        }
    }

    /// Events that were told more than once.
    pub(super) fn doubled(&self) -> usize {
        self.told.values().filter(|times| **times > 1).count()
    }
}

/// A viewer that follows the feed in the background until it is dropped.
pub(super) struct Viewer {
    pub(super) transport: Transport,
    pub(super) book: Arc<Mutex<Book>>,
    pub(super) cuts: Arc<Mutex<usize>>,
    is_in_peace: Arc<AtomicBool>,
    _task: JoinSet<()>,
}

impl Viewer {
    /// Follows on any of these replicas, and on another one after each cut, as the dice say.
    pub(super) fn follow(transport: Transport, replicas: Vec<SocketAddr>, dice: Dice, cut_every: Option<u64>) -> Self {
        let (book, cuts) = (Arc::<Mutex<Book>>::default(), Arc::<Mutex<usize>>::default());
        let mut task = JoinSet::new();
        let is_in_peace = Arc::<AtomicBool>::default();
        let (kept, counted, asked) = (Arc::clone(&book), Arc::clone(&cuts), Arc::clone(&is_in_peace));
        let follower = Follower { transport, replicas, dice, cut_every, book: kept, cuts: counted, is_in_peace: asked };
        task.spawn(follower.run());
        Self { transport, book, cuts, is_in_peace, _task: task }
    }

    /// From now on it is not cut off any more.
    pub(super) fn leave_in_peace(&self) {
        self.is_in_peace.store(true, Ordering::SeqCst);
    }

    pub(super) fn book(&self) -> Book {
        self.book.lock().unwrap().clone()
    }
}

struct Follower {
    transport: Transport,
    replicas: Vec<SocketAddr>,
    dice: Dice,
    /// Milliseconds, on average.
    cut_every: Option<u64>,
    book: Arc<Mutex<Book>>,
    cuts: Arc<Mutex<usize>>,
    is_in_peace: Arc<AtomicBool>,
}

impl Follower {
    async fn run(mut self) {
        loop {
            let until = match self.cut_every {
                Some(average) if !self.is_in_peace.load(Ordering::SeqCst) => {
                    Duration::from_millis(self.dice.below(2 * average))
                }
                Some(_) | None => Duration::from_secs(3600),
            };
            let replica = self.replicas[self.dice.below(self.replicas.len() as u64) as usize];
            let until = Instant::now() + until;
            // What is cut in the middle of a message, or before it was answered, is cut too.
            let watching = self.watch(replica);
            if timeout_at(until, watching).await.is_err() {
                *self.cuts.lock().unwrap() += 1;
            }
        }
    }

    /// Watches until something breaks.
    async fn watch(&self, replica: SocketAddr) {
        let cursor = self.book.lock().unwrap().cursor.clone();
        match self.transport {
            Transport::WebSocket => self.watch_socket(replica, cursor).await,
            Transport::Sse => self.watch_events(replica, cursor).await,
            Transport::Polling => self.poll(replica).await,
        }
        // It comes back a little later than a program would that has no manners.
        sleep(Duration::from_millis(20)).await;
    }

    async fn watch_socket(&self, replica: SocketAddr, cursor: Option<String>) {
        let Ok(mut socket) = Knock::to(replica).open().await else { return };
        let hello = json!({ "t": "hello", "cursor": cursor });
        socket.say(&hello).await;
        while let Ok(frame) = socket.read().await {
            match frame["t"].as_str() {
                Some("update") if !self.apply(&frame) => return,
                Some("ping") => socket.say(&json!({ "t": "pong" })).await,
                _ => {}
            }
        }
    }

    async fn watch_events(&self, replica: SocketAddr, cursor: Option<String>) {
        let client = Client::to(replica).at_path("/sse/sessions");
        let client = match &cursor {
            Some(cursor) => client.with("last-event-id", cursor),
            None => client,
        };
        let answer = client.get().await;
        if answer.status != StatusCode::OK {
            return;
        }
        let mut events: Events = answer.events();
        while let Some(event) = events.read().await {
            if let Some(update) = &event.message {
                assert_eq!(event.id.as_deref(), update["to"].as_str(), "the browser resumes where the update ends");
                if !self.apply(update) {
                    return;
                }
            }
        }
    }

    async fn poll(&self, replica: SocketAddr) {
        loop {
            let cursor = self.book.lock().unwrap().cursor.clone();
            let path = format!("/api/mcp/sessions/events?cursor={}", cursor.as_deref().unwrap_or_default());
            let answer = Client::to(replica).at_path(path).get().await.whole().await;
            if answer.status != StatusCode::OK {
                return;
            }
            let update = answer.json();
            if !self.apply(&update) {
                return;
            }
            if update["more"] != true {
                sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// A viewer that cannot go on from where it stands begins anew.
    fn apply(&self, update: &Value) -> bool {
        let mut book = self.book.lock().unwrap();
        let applied = book.apply(update);
        if !applied {
            book.cursor = None;
        }
        applied
    }
}
