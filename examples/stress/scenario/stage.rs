//! What a scenario has at hand: the server, its clients, the monitor, and where results go.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio_util::sync::CancellationToken;

use crate::client::{Client, Errand, Failure, Ledger, Session, Target};
use crate::evidence::Evidence;
use crate::measure::Measure;
use crate::memory::Processes;
use crate::monitor::Monitor;
use crate::options::Options;
use crate::progress::{Bar, Progress};

/// What all scenarios share.
pub struct Server {
    /// When the run began.
    pub began: Instant,
    pub target: Arc<Target>,
    /// Of any replica; all tell the same.
    pub monitors: Vec<Monitor>,
    pub tools: Vec<String>,
    pub errand: Errand,
    pub options: Options,
    pub evidence: Arc<Evidence>,
    pub ledger: Arc<Ledger>,
    pub processes: Arc<Processes>,
    pub progress: Progress,
    /// Ctrl-C: what can end by itself does.
    pub stop: CancellationToken,
}

/// One scenario's share.
pub struct Stage {
    pub server: Arc<Server>,
    pub name: &'static str,
    pub measure: Measure,
    pub bar: Bar,
    notes: Mutex<Vec<String>>,
    cut_short: AtomicBool,
}

/// Clients that do something at the same time, where it does not matter how many.
const AT_ONCE: usize = 64;

impl Stage {
    pub fn new(server: &Arc<Server>, name: &'static str, bar: Bar) -> Self {
        Self {
            server: Arc::clone(server),
            name,
            measure: Measure::new(),
            bar,
            notes: Mutex::default(),
            cut_short: AtomicBool::new(false),
        }
    }

    pub fn options(&self) -> &Options {
        &self.server.options
    }

    pub fn monitor(&self) -> Option<&Monitor> {
        self.server.monitors.first()
    }

    pub fn has_tool(&self, name: &str) -> bool {
        self.server.tools.iter().any(|tool| tool == name)
    }

    /// The name its clients introduce themselves by.
    pub fn client_name(&self) -> String {
        format!("stress-{}", self.name)
    }

    /// The client of a number. Neighbours are at home on different replicas.
    pub fn client(&self, number: usize) -> Client {
        Client {
            target: Arc::clone(&self.server.target),
            name: self.client_name(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            principal: self
                .server
                .target
                .principal_header
                .is_some()
                .then(|| format!("{}-{number}", self.client_name())),
            home: number,
        }
    }

    /// Opens a client's session.
    pub async fn open(&self, client: &Client) -> Result<Session, Failure> {
        self.measure.time("connect", self.connect(client, None)).await
    }

    /// Connects without being measured.
    pub async fn connect(&self, client: &Client, token: Option<&str>) -> Result<Session, Failure> {
        self.server.ledger.connect(client, token).await
    }

    /// Comes back with a reconnect token that should be good.
    pub async fn come_back(&self, client: &Client, token: &str) -> Result<Session, Failure> {
        let outcome = self.measure.time("reconnect", self.connect(client, Some(token))).await;
        self.server.evidence.came_back(outcome.is_ok());
        outcome
    }

    /// Runs the errand once.
    pub async fn call(&self, session: &Session, unique: &str) -> Result<(), Failure> {
        let unique = format!("{} {unique}", self.name);
        self.measure.time("call", self.server.errand.run(session, &unique)).await
    }

    pub async fn close(&self, session: &Session) -> Result<(), Failure> {
        self.measure.time("disconnect", self.server.ledger.close(session)).await
    }

    /// Ends sessions whose end is no part of the scenario.
    pub async fn clean_up(&self, sessions: &[Session]) {
        self.each(sessions, async |session| drop(self.close(session).await)).await;
    }

    /// Opens the session of each client, and returns those that could be.
    pub async fn open_all(&self, clients: usize) -> Vec<Session> {
        let numbers: Vec<_> = (0..clients).collect();
        let opened = self.each(&numbers, async |number| self.open(&self.client(*number)).await.ok()).await;
        opened.into_iter().flatten().collect()
    }

    /// Does something for each, many at once; what came of it, in order.
    pub async fn each<'a, T, R>(&self, items: &'a [T], doing: impl AsyncFn(&'a T) -> R) -> Vec<R> {
        futures::stream::iter(items).map(|item| doing(item)).buffered(AT_ONCE).collect().await
    }

    /// Does nothing for a while, or until Ctrl-C.
    pub async fn rest(&self, pause: Duration) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.server.stop.cancelled() => {}
        }
    }

    /// Whether Ctrl-C was pressed: who asks ends early then.
    pub fn is_stopped(&self) -> bool {
        let is_stopped = self.server.stop.is_cancelled();
        self.cut_short.fetch_or(is_stopped, Ordering::Relaxed);
        is_stopped
    }

    /// Whether the scenario ended early because of Ctrl-C.
    pub fn was_cut_short(&self) -> bool {
        self.cut_short.load(Ordering::Relaxed)
    }

    /// Looks again and again until something is there, at most that long.
    pub async fn seen<T>(&self, within: Duration, look: impl AsyncFn() -> Option<T>) -> Option<T> {
        let looking = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(within, looking).await.ok()
    }

    /// Randomness that is the same in every run with the same seed.
    pub fn random(&self, number: usize) -> StdRng {
        StdRng::seed_from_u64(self.options().seed.wrapping_mul(1_000_003).wrapping_add(number as u64))
    }

    /// Says something that is no criterion.
    pub fn note(&self, note: impl Into<String>) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note.into());
    }

    pub fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Why nothing can be seen from inside.
pub const NO_MONITOR: &str = "there is no monitor to look into";
/// Why a session cannot be named.
pub const NO_KEY: &str = "the server's session ids have no public part";
