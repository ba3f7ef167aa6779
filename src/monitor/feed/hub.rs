//! One hub for all viewers of a replica: it merges the parts' events into one row of updates, each written once.
//!
//! A viewer attaches at its cursor and reads on from there. What it missed comes from the updates that are kept, or from the
//! store; what cannot be proven to be whole is a snapshot.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, broadcast};
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::counts::Counts;
use super::cursor::{Cursor, Mark};
use super::update::{State, Told, Update};
use crate::engine::Engine;
use crate::id::SessionKey;
use crate::monitor::stats::Stats;
use crate::session::Timestamp;
use crate::store::{StoreError, StoreErrorKind};

/// Updates a viewer may be behind before it has to attach again.
const BACKLOG: usize = 1024;
/// Updates kept for viewers that come back.
const KEPT: usize = 512;
/// How long a viewer waits for the hub's first look at the store.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a viewer that comes from a faster replica waits for this one.
const CATCH_UP: Duration = Duration::from_secs(1);

pub(crate) struct Hub {
    pub(crate) engine: Arc<Engine>,
    feed: Mutex<Feed>,
    updates: broadcast::Sender<Published>,
    looked: Notify,
    /// Somebody knows of events that the hub has not heard of.
    pub(super) nudged: Arc<Notify>,
    /// The pages of the last snapshot, and when it was taken.
    pub(super) snapshot: tokio::sync::Mutex<Option<(Instant, Pages)>>,
    pub(super) told: Mutex<ToldActivity>,
    pub(super) task: Mutex<Option<AbortOnDropHandle<()>>>,
    seats_taken: AtomicUsize,
}

/// What all viewers were told of activity.
#[derive(Default)]
pub(super) struct ToldActivity {
    /// The sessions told of lately, with when they were last active.
    pub(super) sessions: HashMap<SessionKey, Timestamp>,
    /// Up to when; a look that failed leaves it.
    pub(super) until: Option<Timestamp>,
}

/// A snapshot.
pub(super) type Pages = Arc<[Arc<Update>]>;

/// A place among the viewers of this replica.
pub(crate) struct Seat(Arc<Hub>);

impl Seat {
    /// `None` if so many are taken.
    pub(crate) fn take(hub: &Arc<Hub>, seats: usize) -> Option<Self> {
        let free = |taken: usize| (taken < seats).then_some(taken + 1);
        let taken = hub.seats_taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free);
        taken.is_ok().then(|| Self(Arc::clone(hub)))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.seats_taken.fetch_sub(1, Ordering::Relaxed);
    }
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
    marks: Option<Vec<Mark>>,
    kept: VecDeque<Arc<Update>>,
    counts: Counts,
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

impl Attached {
    /// One more update at the end of what was missed; the viewer stood at `cursor` before that.
    pub(super) fn end_with(&mut self, cursor: &Cursor, update: impl FnOnce(Cursor) -> Update) {
        let end = self.missed.last().map_or(cursor, |update| &update.to).clone();
        self.missed.push(Arc::new(update(end)));
    }
}

impl Hub {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        let feed = Feed { marks: None, kept: VecDeque::new(), counts: Counts::default(), state: State::Live, bytes: 0 };
        Self {
            engine,
            feed: Mutex::new(feed),
            updates: broadcast::Sender::new(BACKLOG),
            looked: Notify::new(),
            nudged: Arc::default(),
            snapshot: tokio::sync::Mutex::default(),
            told: Mutex::default(),
            task: Mutex::default(),
            seats_taken: AtomicUsize::new(0),
        }
    }

    fn feed(&self) -> MutexGuard<'_, Feed> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the row ends, once the store was looked at.
    ///
    /// # Errors
    ///
    /// If the store could not be looked at in time.
    pub(crate) async fn marks(&self) -> Result<Vec<Mark>, StoreError> {
        let looked = async {
            loop {
                let looked = self.looked.notified();
                let mut looked = std::pin::pin!(looked);
                looked.as_mut().enable();
                if let Some(marks) = self.known_marks() {
                    return marks;
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

    pub(super) fn known_marks(&self) -> Option<Vec<Mark>> {
        self.feed().marks.clone()
    }

    /// Lets the row catch up with a viewer who has seen more of the same epochs. It may be that it does not.
    pub(super) async fn catch_up(&self, cursor: &Cursor) {
        let mut coming = self.updates.subscribe();
        if self.is_ahead(cursor) {
            self.nudged.notify_one();
            let caught_up = async { while self.is_ahead(cursor) && coming.recv().await.is_ok() {} };
            let _ = timeout(CATCH_UP, caught_up).await;
        }
    }

    fn is_ahead(&self, cursor: &Cursor) -> bool {
        let is_ahead = |(theirs, ours): (&Mark, &Mark)| theirs.is_ahead_of(ours);
        self.known_marks().is_some_and(|marks| cursor.marks.iter().zip(&marks).any(is_ahead))
    }

    pub(crate) fn state(&self) -> State {
        self.feed().state
    }

    pub(super) fn stats(&self) -> Option<Arc<Stats>> {
        self.feed().counts.latest()
    }

    /// Takes in what was counted for all viewers: whether they have to be told.
    pub(super) fn learn(&self, stats: &Arc<Stats>) -> bool {
        self.feed().counts.learn(stats)
    }

    /// Takes in what one viewer is told.
    pub(super) fn told_one(&self, stats: &Arc<Stats>) {
        self.feed().counts.told_one(stats);
    }

    pub(crate) fn viewers(&self) -> usize {
        self.updates.receiver_count()
    }

    /// The bytes published so far: what a viewer has not taken of them waits for it.
    pub(crate) fn published(&self) -> u64 {
        self.feed().bytes
    }

    /// Appends events, the row ending at `marks` then.
    pub(super) fn publish(&self, marks: Vec<Mark>, at: Timestamp, events: Vec<Told>) {
        let mut feed = self.feed();
        let from = Cursor::at(feed.marks.clone().unwrap_or_else(|| marks.clone()));
        let update = Update::delta(from, Cursor::at(marks.clone()), at, events);
        let stats = feed.counts.due();
        let update = Arc::new(update.with(feed.state, stats));
        feed.marks = Some(marks);
        feed.keep(&update);
        // Nobody watching is fine.
        let _ = self.updates.send(Published { update, bytes: feed.bytes });
    }

    /// Says how things are, without an event.
    pub(super) fn publish_state(&self, state: State, at: Timestamp, shown: Vec<Told>) {
        let marks = {
            let mut feed = self.feed();
            feed.state = state;
            feed.marks.clone()
        };
        if let Some(marks) = marks {
            self.publish(marks, at, shown);
        }
    }

    /// Continuity is lost: the row begins anew, and viewers find that they do not stand in it.
    pub(super) fn begin_anew(&self, marks: Vec<Mark>, at: Timestamp) {
        {
            let mut feed = self.feed();
            feed.kept.clear();
            feed.marks = Some(marks.clone());
        }
        self.looked.notify_waiters();
        self.publish(marks, at, Vec::new());
    }

    /// The rest of the row after a cursor, and what comes; `None` if it does not stand in what is kept.
    pub(super) fn read_on(&self, cursor: &Cursor) -> Option<Attached> {
        let feed = self.feed();
        let missed: Vec<Arc<Update>> = match feed.marks.as_ref() == Some(&cursor.marks) {
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
