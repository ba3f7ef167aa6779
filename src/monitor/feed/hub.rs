//! One hub for all viewers of a replica: it merges the parts' events into one row of updates, each written once.
//!
//! A viewer attaches at its cursor and reads on from there. What it missed comes from the updates that are kept, or from the
//! store; what cannot be proven to be whole is a snapshot.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, broadcast};
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::cursor::Cursor;
use super::snapshot::Snapshot;
use super::update::{State, Told, Update};
use super::watch;
use crate::engine::Engine;
use crate::monitor::stats::Stats;
use crate::session::Timestamp;
use crate::store::{AgeLimits, EventHead, StoreError, StoreErrorKind};

/// Updates a viewer may be behind before it has to attach again.
const BACKLOG: usize = 1024;
/// Updates kept for viewers that come back.
const KEPT: usize = 512;
/// How long a viewer waits for the hub's first look at the store.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

pub(crate) struct Hub {
    pub(crate) engine: Arc<Engine>,
    pub(crate) ages: AgeLimits,
    feed: Mutex<Feed>,
    updates: broadcast::Sender<Published>,
    looked: Notify,
    pub(super) snapshot: tokio::sync::Mutex<Option<(Instant, Arc<Snapshot>)>>,
    task: Mutex<Option<AbortOnDropHandle<()>>>,
}

/// An update, and the bytes published up to it.
#[derive(Clone)]
pub(crate) struct Published {
    pub(crate) update: Arc<Update>,
    pub(crate) bytes: u64,
}

/// The row of updates.
struct Feed {
    /// Where it ends; `None` before the store was first looked at.
    heads: Option<Vec<EventHead>>,
    kept: VecDeque<Arc<Update>>,
    stats: Option<Arc<Stats>>,
    state: State,
    bytes: u64,
}

/// A viewer's place in the row: what it missed, and what comes.
pub(crate) struct Attached {
    pub(crate) missed: Vec<Arc<Update>>,
    pub(crate) coming: broadcast::Receiver<Published>,
    /// Bytes published before what comes.
    pub(crate) bytes: u64,
}

impl Hub {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        let feed = Feed { heads: None, kept: VecDeque::new(), stats: None, state: State::Live, bytes: 0 };
        Self {
            engine,
            ages: AgeLimits::default(),
            feed: Mutex::new(feed),
            updates: broadcast::Sender::new(BACKLOG),
            looked: Notify::new(),
            snapshot: tokio::sync::Mutex::default(),
            task: Mutex::default(),
        }
    }

    fn feed(&self) -> MutexGuard<'_, Feed> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to watch the store with the first viewer.
    pub(crate) fn start(self: &Arc<Self>) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        task.get_or_insert_with(|| AbortOnDropHandle::new(tokio::spawn(watch::run(Arc::downgrade(self)))));
    }

    /// Where the row ends, once the store was looked at.
    ///
    /// # Errors
    ///
    /// If the store could not be looked at in time.
    pub(crate) async fn heads(&self) -> Result<Vec<EventHead>, StoreError> {
        let looked = async {
            loop {
                let looked = self.looked.notified();
                let mut looked = std::pin::pin!(looked);
                looked.as_mut().enable();
                if let Some(heads) = self.feed().heads.clone() {
                    return heads;
                }
                looked.await;
            }
        };
        timeout(PATIENCE, looked).await.map_err(|_| StoreErrorKind::Unavailable.into())
    }

    /// About what time it is.
    pub(super) fn time(&self) -> Timestamp {
        self.engine.clock.known().unwrap_or_default()
    }

    pub(super) fn known_heads(&self) -> Option<Vec<EventHead>> {
        self.feed().heads.clone()
    }

    pub(crate) fn state(&self) -> State {
        self.feed().state
    }

    pub(crate) fn stats(&self) -> Option<Arc<Stats>> {
        self.feed().stats.clone()
    }

    pub(crate) fn viewers(&self) -> usize {
        self.updates.receiver_count()
    }

    /// The bytes published so far: what a viewer has not taken of them waits for it.
    pub(crate) fn published(&self) -> u64 {
        self.feed().bytes
    }

    /// Appends events, the row ending at `heads` then.
    pub(super) fn publish(&self, heads: Vec<EventHead>, at: Timestamp, events: Vec<Told>) {
        let mut feed = self.feed();
        let from = Cursor::at(feed.heads.clone().unwrap_or_else(|| heads.clone()));
        let update = Update::delta(from, Cursor::at(heads.clone()), at, events);
        let update = Arc::new(update.with(feed.state, feed.stats.clone()));
        feed.heads = Some(heads);
        feed.keep(&update);
        // Nobody watching is fine.
        let _ = self.updates.send(Published { update, bytes: feed.bytes });
    }

    /// Says how things are, without an event.
    pub(super) fn publish_state(&self, state: State, stats: Option<Arc<Stats>>, at: Timestamp, shown: Vec<Told>) {
        let heads = {
            let mut feed = self.feed();
            feed.state = state;
            feed.stats = stats.or_else(|| feed.stats.take());
            feed.heads.clone()
        };
        if let Some(heads) = heads {
            self.publish(heads, at, shown);
        }
    }

    /// Continuity is lost: the row begins anew, and viewers find that they do not stand in it.
    pub(super) fn begin_anew(&self, heads: Vec<EventHead>, at: Timestamp) {
        {
            let mut feed = self.feed();
            feed.kept.clear();
            feed.heads = Some(heads.clone());
        }
        self.looked.notify_waiters();
        self.publish(heads, at, Vec::new());
    }

    /// The rest of the row after a cursor, and what comes; `None` if it does not stand in what is kept.
    pub(super) fn read_on(&self, cursor: &Cursor) -> Option<Attached> {
        let feed = self.feed();
        let missed: Vec<Arc<Update>> = match feed.heads.as_ref() == Some(&cursor.heads) {
            true => Vec::new(),
            false => {
                let at = feed.kept.iter().position(|update| update.from.as_ref() == Some(cursor))?;
                feed.kept.iter().skip(at).cloned().collect()
            }
        };
        Some(Attached { missed, coming: self.updates.subscribe(), bytes: feed.bytes })
    }
}

impl Feed {
    fn keep(&mut self, update: &Arc<Update>) {
        self.bytes += update.json().len() as u64;
        // Those without events are no step: whoever stands before one stands after it, too.
        if update.from.as_ref() != Some(&update.to) {
            self.kept.push_back(Arc::clone(update));
            if self.kept.len() > KEPT {
                self.kept.pop_front();
            }
        }
    }
}
