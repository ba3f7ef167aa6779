//! [`Inbox`] and [`Presence`] in memory.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::log::Log;
use super::{MemoryStore, Own};
use crate::id::SessionKey;
use crate::session::{Timestamp, millis};
use crate::store::{
    Asked, Believed, Blueprint, BusMessage, Fact, Inbox, Letters, LogLimits, Posted, Presence, QuestionName, ReplicaId,
    SealedInner, Shaped, Shaping, StoreError, StreamName,
};

/// The inbox as a stream of a log of its own.
const INBOX: StreamName = StreamName::LISTEN;

/// What replicas tell each other about a session.
#[derive(Default)]
pub(super) struct Wire {
    /// The number of the last listener.
    pub(super) listener: u64,
    pub(super) listener_is_there: bool,
    /// The position up to which listeners have heard the listening stream.
    pub(super) heard: u64,
    questions: HashSet<QuestionName>,
    shapings: BTreeMap<String, Bytes>,
    inbox: Log,
}

impl Wire {
    pub(super) fn blueprint(&self, generation: u32, handshake: Bytes, inner: Option<SealedInner>) -> Blueprint {
        Blueprint {
            generation,
            handshake: Some(handshake),
            shapings: self.shapings.iter().map(|(name, call)| (name.clone(), call.clone())).collect(),
            inbox: self.inbox.last,
            listened: self.listener > 0,
            inner,
        }
    }

    /// Position of the last letter.
    pub(super) fn last_letter(&self) -> u64 {
        self.inbox.last
    }

    /// The session has a new holder: the old one owes no answer and no longer listens.
    pub(super) fn change_hands(&mut self) {
        self.questions.clear();
        self.send_listener_away();
    }

    /// Who listened until now has no part in the listening stream any more.
    pub(super) fn send_listener_away(&mut self) {
        self.listener_is_there = false;
        if self.listener > 0 {
            self.listener += 1;
        }
    }

    pub(super) fn forget_shapings(&mut self) {
        self.shapings.clear();
    }

    fn mail(&mut self, letter: &Bytes, limits: &LogLimits) {
        self.inbox.push(&INBOX, letter.clone());
        self.inbox.trim(limits);
    }

    fn size_without(&self, name: &str) -> usize {
        let others = self.shapings.iter().filter(|(other, _)| *other != name);
        others.map(|(name, call)| name.len() + call.len()).sum()
    }
}

#[async_trait]
impl Inbox for MemoryStore {
    async fn ask(
        &self,
        key: &SessionKey,
        generation: u32,
        question: &QuestionName,
        most: usize,
    ) -> Result<Asked, StoreError> {
        Ok(match self.state().own(key, generation) {
            Own::Live(entry) if entry.wire.questions.contains(question) => Asked::Open,
            Own::Live(entry) if entry.wire.questions.len() + entry.wire.shapings.len() >= most => Asked::TooMany,
            Own::Live(entry) => {
                entry.wire.questions.insert(question.clone());
                Asked::Open
            }
            Own::Superseded => Asked::Superseded,
            Own::Gone => Asked::Gone,
        })
    }

    async fn settle(&self, key: &SessionKey, generation: u32, question: &QuestionName) -> Result<bool, StoreError> {
        Ok(match self.state().own(key, generation) {
            Own::Live(entry) => entry.wire.questions.remove(question),
            Own::Superseded | Own::Gone => false,
        })
    }

    async fn post(
        &self,
        key: &SessionKey,
        generation: u32,
        letter: &Bytes,
        answers: Option<&QuestionName>,
        limits: &LogLimits,
    ) -> Result<Posted, StoreError> {
        match self.state().own(key, generation) {
            Own::Live(entry) => {
                if answers.is_some_and(|question| !entry.wire.questions.remove(question)) {
                    return Ok(Posted::NotAsked);
                }
                entry.wire.mail(letter, limits);
            }
            Own::Superseded => return Ok(Posted::Superseded),
            Own::Gone => return Ok(Posted::Gone),
        }
        self.tell(BusMessage::Mail(*key));
        Ok(Posted::Posted)
    }

    async fn shape(
        &self,
        key: &SessionKey,
        generation: u32,
        shaping: &Shaping,
        most: usize,
        limits: &LogLimits,
    ) -> Result<Shaped, StoreError> {
        match self.state().own(key, generation) {
            Own::Live(entry) => {
                let (wire, name) = (&mut entry.wire, &shaping.name);
                match &shaping.call {
                    Some(call) if wire.size_without(name) + name.len() + call.len() > most => {
                        return Ok(Shaped::TooLarge);
                    }
                    Some(call) => drop(wire.shapings.insert(name.clone(), call.clone())),
                    None => drop(wire.shapings.remove(name)),
                }
                wire.mail(&shaping.letter, limits);
            }
            Own::Superseded => return Ok(Shaped::Superseded),
            Own::Gone => return Ok(Shaped::Gone),
        }
        self.tell(BusMessage::Mail(*key));
        Ok(Shaped::Shaped)
    }

    async fn letters(&self, key: &SessionKey, after: u64, max: usize) -> Result<Letters, StoreError> {
        let state = self.state();
        let Some(entry) = state.sessions.get(key) else { return Ok(Letters::default()) };
        let slice = entry.wire.inbox.slice(&INBOX, after, max);
        Ok(Letters { letters: slice.messages, gap: slice.gap, listened: entry.wire.listener > 0 })
    }
}

#[async_trait]
impl Presence for MemoryStore {
    async fn announce(&self, replica: &ReplicaId, ttl: Duration) -> Result<(), StoreError> {
        let now = self.now();
        let present = &mut self.state().present;
        present.retain(|_, until| *until > now);
        present.insert(*replica, Timestamp(now.0.saturating_add(millis(ttl))));
        Ok(())
    }

    async fn withdraw(&self, replica: &ReplicaId) -> Result<(), StoreError> {
        self.state().present.remove(replica);
        Ok(())
    }

    async fn is_present(&self, replica: &ReplicaId) -> Result<bool, StoreError> {
        let now = self.now();
        Ok(self.state().present.get(replica).is_some_and(|until| *until > now))
    }

    /// For as long as there are sessions: in memory, both end together.
    async fn declare(&self, facts: &[Fact], _: Duration) -> Result<Vec<Option<String>>, StoreError> {
        let said = &mut self.state().facts;
        let mut declare = |fact: &Fact| match (said.get(&fact.name), fact.believed) {
            (Some(before), Believed::First) => Some(before.clone()),
            _ => said.insert(fact.name.clone(), fact.value.clone()),
        };
        Ok(facts.iter().map(&mut declare).collect())
    }
}
