//! [`SessionStore::sweep`](crate::store::SessionStore::sweep) in memory.

use std::time::Duration;

use super::MemoryStore;
use super::state::{Entry, State};
use crate::event::Change;
use crate::id::SessionKey;
use crate::session::{EndReason, SessionStatus, Timestamp};
use crate::store::{BusMessage, Swept};

impl Entry {
    fn is_idle(&self, at: Timestamp) -> bool {
        self.record.status == SessionStatus::Active && at.since(self.last_seen) >= self.record.lifetimes.idle_timeout
    }

    /// Why the session ends, if it does.
    fn reason_to_end(&self, at: Timestamp) -> Option<EndReason> {
        let (lifetimes, age) = (&self.record.lifetimes, at.since(self.record.created_at));
        if self.record.status == SessionStatus::Disconnected && self.is_over(at) {
            Some(EndReason::Expired)
        } else if lifetimes.max_lifetime.is_some_and(|most| age >= most) {
            Some(EndReason::MaxLifetime)
        } else if !self.is_confirmed && age >= lifetimes.handshake_timeout {
            Some(EndReason::Abandoned)
        } else {
            None
        }
    }
}

impl MemoryStore {
    pub(super) fn sweep_due(&self, grace: Duration, limit: usize) -> Swept {
        let now = self.now();
        let at = now.before(grace);
        let mut state = self.state();
        let due = state.due_at(at, limit);
        let mut swept = Swept { more: due.len() == limit, ..Swept::default() };
        for key in due {
            self.judge(&mut state, &key, at, now, &mut swept);
        }
        swept.disconnected.iter().for_each(|key| self.tell(BusMessage::Disconnected(*key)));
        swept.ended.iter().for_each(|(key, reason)| self.tell(BusMessage::Ended(*key, *reason)));
        swept
    }

    fn judge(&self, state: &mut State, key: &SessionKey, at: Timestamp, now: Timestamp, swept: &mut Swept) {
        let Some(entry) = state.sessions.get(key) else { return };
        let (is_idle, last_seen) = (entry.is_idle(at), entry.last_seen);
        if is_idle {
            state.place(key, SessionStatus::Disconnected, last_seen);
            self.record_of(state, now, key, Change::Disconnected);
            swept.disconnected.push(*key);
        }
        let reason = state.sessions.get(key).and_then(|entry| entry.reason_to_end(at));
        if let Some(reason) = reason
            && self.close(state, now, key, reason)
        {
            swept.ended.push((*key, reason));
        }
    }
}
