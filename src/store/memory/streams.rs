//! [`StreamLog`] in memory.

use async_trait::async_trait;
use bytes::Bytes;

use super::{MemoryStore, Own};
use crate::id::SessionKey;
use crate::store::{
    Appended, BusMessage, Heard, ListenCursor, Listening, LogLimits, LogSlice, ReplicaId, StoreError, StreamLog,
    StreamName, StreamState,
};

#[async_trait]
impl StreamLog for MemoryStore {
    async fn begin(
        &self,
        key: &SessionKey,
        generation: u32,
        stream: &StreamName,
        about: &[u8],
    ) -> Result<Appended, StoreError> {
        let mut state = self.state();
        Ok(match state.own(key, generation) {
            Own::Live(entry) => {
                entry.log.begin(stream, Bytes::copy_from_slice(about));
                Appended::Stored { last: entry.log.last }
            }
            Own::Superseded => Appended::Superseded,
            Own::Gone => Appended::Gone,
        })
    }

    async fn append(
        &self,
        key: &SessionKey,
        generation: u32,
        stream: &StreamName,
        messages: &[Bytes],
        limits: &LogLimits,
    ) -> Result<Appended, StoreError> {
        Ok(self.write(key, generation, stream, messages, false, limits))
    }

    async fn finish(
        &self,
        key: &SessionKey,
        generation: u32,
        stream: &StreamName,
        messages: &[Bytes],
        limits: &LogLimits,
    ) -> Result<Appended, StoreError> {
        Ok(self.write(key, generation, stream, messages, true, limits))
    }

    async fn read(
        &self,
        key: &SessionKey,
        stream: &StreamName,
        after: u64,
        max: usize,
    ) -> Result<LogSlice, StoreError> {
        Ok(self.state().sessions.get(key).map(|entry| entry.log.slice(stream, after, max)).unwrap_or_default())
    }

    async fn listen(
        &self,
        key: &SessionKey,
        generation: u32,
        replica: &ReplicaId,
        cursor: Option<ListenCursor>,
    ) -> Result<Listening, StoreError> {
        let mut state = self.state();
        let entry = match state.own(key, generation) {
            Own::Live(entry) => entry,
            Own::Superseded => return Ok(Listening::Superseded),
            Own::Gone => return Ok(Listening::Gone),
        };
        let wire = &mut entry.wire;
        let after = match cursor {
            Some(cursor) if cursor.listener > wire.listener || cursor.position > entry.log.last => {
                return Ok(Listening::Unknown);
            }
            Some(cursor) if cursor.listener < wire.listener && wire.listener_is_there => {
                return Ok(Listening::Outdated);
            }
            Some(cursor) => cursor.position,
            None => wire.heard,
        };
        (wire.listener, wire.listener_is_there, wire.heard) = (wire.listener + 1, true, after);
        let listener = wire.listener;
        drop(state);
        self.tell(BusMessage::Listening(*key, *replica));
        Ok(Listening::Granted { listener, after })
    }

    async fn hear(&self, key: &SessionKey, listener: u64, after: u64, max: usize) -> Result<Heard, StoreError> {
        let mut state = self.state();
        let Some(entry) = state.sessions.get_mut(key).filter(|entry| entry.wire.listener == listener) else {
            return Ok(Heard::Over);
        };
        entry.wire.heard = entry.wire.heard.max(after);
        Ok(Heard::Messages(entry.log.slice(&StreamName::LISTEN, after, max)))
    }

    async fn leave(&self, key: &SessionKey, listener: u64, after: u64) -> Result<(), StoreError> {
        let mut state = self.state();
        if let Some(entry) = state.sessions.get_mut(key).filter(|entry| entry.wire.listener == listener) {
            entry.wire.heard = entry.wire.heard.max(after);
            entry.wire.listener_is_there = false;
        }
        Ok(())
    }
}

impl MemoryStore {
    fn write(
        &self,
        key: &SessionKey,
        generation: u32,
        stream: &StreamName,
        messages: &[Bytes],
        last: bool,
        limits: &LogLimits,
    ) -> Appended {
        let mut state = self.state();
        let log = match state.own(key, generation) {
            Own::Live(entry) => &mut entry.log,
            Own::Superseded => return Appended::Superseded,
            Own::Gone => return Appended::Gone,
        };
        if log.state(stream) == StreamState::Finished {
            return Appended::Finished;
        }
        for message in messages {
            log.push(stream, message.clone());
        }
        if last {
            log.finish(stream);
        }
        log.trim(limits);
        let last = log.last;
        drop(state);
        self.tell(BusMessage::Appended(*key, stream.clone()));
        Appended::Stored { last }
    }
}
