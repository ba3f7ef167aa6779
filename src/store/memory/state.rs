//! What a [`MemoryStore`](super::MemoryStore) holds: sessions, and the indexes that tell who is due.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;

use super::chronicle::Chronicle;
use super::inbox::Wire;
use super::inner::{Farewells, Inner};
use super::log::Log;
use super::reconnect::Retry;
use crate::id::SessionKey;
use crate::rate::SlidingWindow;
use crate::session::{SessionRecord, SessionStatus, Timestamp};
use crate::store::{Lifetimes, ReplicaId, WindowName};

#[derive(Default)]
pub(super) struct State {
    pub(super) sessions: HashMap<SessionKey, Entry>,
    /// Active sessions by when they were last seen.
    pub(super) seen: BTreeSet<(Timestamp, SessionKey)>,
    /// Disconnected sessions by when they were last seen.
    pub(super) gone: BTreeSet<(Timestamp, SessionKey)>,
    /// All sessions by when the next thing is due of them.
    due: BTreeSet<(Timestamp, SessionKey)>,
    /// The lifetimes that were announced last.
    pub(super) announced: Option<Lifetimes>,
    /// What happened to the sessions.
    pub(super) chronicle: Chronicle,
    /// What was permitted lately.
    pub(super) windows: HashMap<WindowName, SlidingWindow>,
    /// What sessions that ended lately left behind.
    pub(super) farewells: Farewells,
    /// What was said about the deployment, by the names of the facts.
    pub(super) facts: HashMap<String, String>,
    /// Until when a replica's word is good.
    pub(super) present: HashMap<ReplicaId, Timestamp>,
}

pub(super) struct Entry {
    pub(super) record: SessionRecord,
    pub(super) handshake: Bytes,
    pub(super) last_seen: Timestamp,
    /// The client has confirmed its handshake.
    pub(super) is_confirmed: bool,
    /// When the next thing is due; where it stands in the index.
    pub(super) due: Option<Timestamp>,
    pub(super) data: HashMap<String, Bytes>,
    pub(super) log: Log,
    pub(super) wire: Wire,
    pub(super) retry: Option<Retry>,
    pub(super) inner: Inner,
}

impl Entry {
    /// The session's retention has passed, whether or not a sweep has noticed.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        now.since(self.last_seen) >= self.record.lifetimes.expires_after
    }

    /// When the next thing is due of it: it is idle, its retention is over, it is too old, or was never confirmed.
    fn deadline(&self) -> Timestamp {
        let (lifetimes, opened) = (&self.record.lifetimes, self.record.created_at);
        let unused = match self.record.status {
            SessionStatus::Active => lifetimes.idle_timeout,
            SessionStatus::Disconnected => lifetimes.expires_after,
        };
        let unconfirmed = (!self.is_confirmed).then_some(lifetimes.handshake_timeout);
        let by_age = lifetimes.max_lifetime.into_iter().chain(unconfirmed).map(|span| opened.after(span));
        by_age.chain([self.last_seen.after(unused)]).min().unwrap_or(Timestamp(u64::MAX))
    }
}

/// A live session of the caller's generation, or why there is none.
pub(super) enum Own<'a> {
    Live(&'a mut Entry),
    Superseded,
    Gone,
}

impl State {
    pub(super) fn own(&mut self, key: &SessionKey, generation: u32) -> Own<'_> {
        match self.sessions.get_mut(key) {
            None => Own::Gone,
            Some(entry) if entry.record.generation != generation => Own::Superseded,
            Some(entry) => Own::Live(entry),
        }
    }

    fn index(&mut self, status: SessionStatus) -> &mut BTreeSet<(Timestamp, SessionKey)> {
        match status {
            SessionStatus::Active => &mut self.seen,
            SessionStatus::Disconnected => &mut self.gone,
        }
    }

    /// Moves a session to a status and a last-seen time; `false` if it does not live.
    pub(super) fn place(&mut self, key: &SessionKey, status: SessionStatus, last_seen: Timestamp) -> bool {
        let Some(entry) = self.sessions.get_mut(key) else { return false };
        let old = (entry.record.status, entry.last_seen);
        entry.record.status = status;
        entry.last_seen = last_seen;
        self.index(old.0).remove(&(old.1, *key));
        self.index(status).insert((last_seen, *key));
        self.schedule(key);
        true
    }

    /// Puts a session where it belongs in the index of deadlines.
    fn schedule(&mut self, key: &SessionKey) {
        let Some(entry) = self.sessions.get_mut(key) else { return };
        let deadline = entry.deadline();
        if let Some(before) = entry.due.replace(deadline) {
            self.due.remove(&(before, *key));
        }
        self.due.insert((deadline, *key));
    }

    /// Sessions of which something has been due since a moment, or longer; the longest due first.
    pub(super) fn due_at(&self, at: Timestamp, limit: usize) -> Vec<SessionKey> {
        self.due.iter().take_while(|(due, _)| *due <= at).take(limit).map(|(_, key)| *key).collect()
    }

    pub(super) fn give_lifetimes(&mut self, key: &SessionKey, lifetimes: &Lifetimes) {
        if let Some(entry) = self.sessions.get_mut(key) {
            entry.record.lifetimes = *lifetimes;
            self.schedule(key);
        }
    }

    /// Ends a session; `false` if it does not live.
    pub(super) fn remove(&mut self, key: &SessionKey, at: Timestamp) -> bool {
        let Some(entry) = self.sessions.remove(key) else { return false };
        self.farewells.leave(*key, entry.inner, at);
        self.index(entry.record.status).remove(&(entry.last_seen, *key));
        if let Some(due) = entry.due {
            self.due.remove(&(due, *key));
        }
        true
    }

    pub(super) fn confirm(&mut self, key: &SessionKey) {
        if let Some(entry) = self.sessions.get_mut(key) {
            entry.is_confirmed = true;
            self.schedule(key);
        }
    }
}
