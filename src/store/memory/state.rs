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
use crate::store::{ReplicaId, WindowName};

#[derive(Default)]
pub(super) struct State {
    pub(super) sessions: HashMap<SessionKey, Entry>,
    /// Active sessions by when they were last seen.
    pub(super) seen: BTreeSet<(Timestamp, SessionKey)>,
    /// Disconnected sessions by when they were last seen.
    pub(super) gone: BTreeSet<(Timestamp, SessionKey)>,
    /// All sessions by when they were opened.
    pub(super) born: BTreeSet<(Timestamp, SessionKey)>,
    /// Sessions whose handshake is unconfirmed, by when they were opened.
    pub(super) unconfirmed: BTreeSet<(Timestamp, SessionKey)>,
    /// What happened to the sessions.
    pub(super) chronicle: Chronicle,
    /// What was permitted lately.
    pub(super) windows: HashMap<WindowName, SlidingWindow>,
    /// What sessions that ended lately left behind.
    pub(super) farewells: Farewells,
    /// Until when a replica's word is good.
    pub(super) present: HashMap<ReplicaId, Timestamp>,
}

pub(super) struct Entry {
    pub(super) record: SessionRecord,
    pub(super) handshake: Bytes,
    pub(super) last_seen: Timestamp,
    pub(super) data: HashMap<String, Bytes>,
    pub(super) log: Log,
    pub(super) wire: Wire,
    pub(super) retry: Option<Retry>,
    pub(super) inner: Inner,
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
        true
    }

    /// Ends a session; `false` if it does not live.
    pub(super) fn remove(&mut self, key: &SessionKey, at: Timestamp) -> bool {
        let Some(entry) = self.sessions.remove(key) else { return false };
        self.farewells.leave(*key, entry.inner, at);
        self.index(entry.record.status).remove(&(entry.last_seen, *key));
        self.born.remove(&(entry.record.created_at, *key));
        self.unconfirmed.remove(&(entry.record.created_at, *key));
        true
    }

    pub(super) fn confirm(&mut self, key: &SessionKey) {
        if let Some(entry) = self.sessions.get(key) {
            self.unconfirmed.remove(&(entry.record.created_at, *key));
        }
    }
}

/// The sessions of an index at or before a moment, oldest first.
pub(super) fn due(
    index: &BTreeSet<(Timestamp, SessionKey)>,
    until: Timestamp,
    limit: usize,
) -> Vec<(Timestamp, SessionKey)> {
    index.iter().take_while(|(at, _)| *at <= until).take(limit).copied().collect()
}
