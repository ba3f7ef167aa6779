//! [`SessionStore::adopt`](crate::store::SessionStore::adopt) in memory.

use super::MemoryStore;
use crate::event::Change;
use crate::id::SessionKey;
use crate::session::Principal;
use crate::store::{Adoption, BusMessage};

impl MemoryStore {
    pub(super) fn give_to(&self, key: &SessionKey, generation: u32, principal: &Principal) -> Adoption {
        let now = self.now();
        let mut state = self.state();
        let Some(entry) = state.sessions.get_mut(key) else { return Adoption::Gone };
        let record = &mut entry.record;
        match (&record.origin.principal, record.origin.adopted) {
            (None, _) if record.generation != generation => return Adoption::Superseded,
            (None, _) => {}
            (Some(owner), Some(adopted)) if owner == principal => {
                let is_its_own = generation == adopted || generation.checked_add(1) == Some(adopted);
                let is_newest = adopted == record.generation && is_its_own;
                return match is_newest {
                    true => Adoption::Adopted { generation: adopted, again: true },
                    false => Adoption::Superseded,
                };
            }
            (Some(_), _) => return Adoption::Taken,
        }
        record.generation += 1;
        let generation = record.generation;
        (record.origin.principal, record.origin.adopted) = (Some(principal.clone()), Some(generation));
        entry.retry = None;
        entry.wire.send_listener_away();
        entry.log.forget_calls();
        self.record_of(&mut state, now, key, Change::Adopted);
        drop(state);
        self.tell(BusMessage::Adopted(*key, generation));
        Adoption::Adopted { generation, again: false }
    }
}
