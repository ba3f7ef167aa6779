//! [`SessionStore::reconnect`](crate::store::SessionStore::reconnect) in memory.

use super::MemoryStore;
use crate::event::Comeback;
use crate::id::NonceDigest;
use crate::session::{SessionStatus, Timestamp};
use crate::store::{BusMessage, Reconnected, Reconnection};

/// What a winner shows to be given a secret again.
pub(super) struct Retry {
    /// The generation that it named.
    generation: u32,
    nonce: NonceDigest,
    until: Timestamp,
}

impl Retry {
    fn allows(&self, change: &Reconnection, now: Timestamp) -> bool {
        self.generation == change.generation && change.nonce == Some(self.nonce) && now < self.until
    }
}

impl MemoryStore {
    pub(super) fn renew(&self, change: &Reconnection) -> Reconnected {
        let now = self.now();
        let mut state = self.state();
        let Some(entry) = state.sessions.get_mut(&change.key) else { return Reconnected::Gone };
        let gap = now.since(entry.last_seen);
        if entry.is_over(now) {
            return Reconnected::Gone;
        }
        let first = entry.record.generation == change.generation;
        let again = !first && entry.retry.as_ref().is_some_and(|retry| retry.allows(change, now));
        if !first && !again {
            return Reconnected::Superseded;
        }
        let before = entry.view();
        let brings_no_other = change.handshake.as_ref().is_none_or(|handshake| *handshake == entry.handshake);
        let is_late = again && entry.record.digest == change.digest && brings_no_other;
        if first {
            entry.record.generation += 1;
            let until = Timestamp(now.0 + Reconnection::RETRY_WINDOW.as_millis() as u64);
            entry.retry = change.nonce.map(|nonce| Retry { generation: change.generation, nonce, until });
        }
        entry.record.digest = change.digest;
        entry.record.origin = change.origin.clone();
        let mut replaced = None;
        if !is_late {
            entry.wire.change_hands();
            entry.log.forget_calls();
            if let Some(handshake) = &change.handshake {
                entry.handshake = handshake.clone();
                entry.wire.forget_shapings();
                replaced = entry.inner.replace(change.inner.clone());
            }
        }
        let inner = entry.inner.current();
        let (generation, created_at, inbox) =
            (entry.record.generation, entry.record.created_at, entry.wire.last_letter());
        state.place(&change.key, SessionStatus::Active, now);
        state.confirm(&change.key);
        if first {
            self.record_comeback(&mut state, now, &before, Comeback::Token);
        }
        drop(state);
        self.tell(BusMessage::Reconnected(change.key, generation));
        Reconnected::Done { now, generation, created_at, gap, inbox, again, inner, replaced }
    }
}
