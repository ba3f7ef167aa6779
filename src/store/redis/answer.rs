//! [`Answer`]: a script's list, read part by part.

use bytes::Bytes;
use deadpool_redis::redis::{FromRedisValue, Value, from_redis_value};

use super::failure::store_error;
use crate::store::{LogSlice, SealedInner, StoreError, StoreErrorKind, StreamState};

/// What is left to read of a script's answer.
pub(super) struct Answer(std::vec::IntoIter<Value>);

impl Answer {
    pub(super) fn of(values: Vec<Value>) -> Self {
        Self(values.into_iter())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    fn next<T: FromRedisValue>(&mut self) -> Result<T, StoreError> {
        let value = self.0.next().ok_or(StoreErrorKind::Corrupt)?;
        from_redis_value(value).map_err(|error| store_error(error.into()))
    }

    pub(super) fn number(&mut self) -> Result<u64, StoreError> {
        self.next()
    }

    pub(super) fn signed(&mut self) -> Result<i64, StoreError> {
        self.next()
    }

    pub(super) fn text(&mut self) -> Result<String, StoreError> {
        self.next()
    }

    pub(super) fn bytes(&mut self) -> Result<Bytes, StoreError> {
        self.next::<Vec<u8>>().map(Bytes::from)
    }

    pub(super) fn bytes_or_nil(&mut self) -> Result<Option<Bytes>, StoreError> {
        Ok(self.next::<Option<Vec<u8>>>()?.map(Bytes::from))
    }

    /// An inner session: its number, 0 for none, and what is known of it.
    pub(super) fn inner(&mut self) -> Result<Option<SealedInner>, StoreError> {
        let (incarnation, sealed) = (self.number()?, self.bytes()?);
        Ok((incarnation > 0).then_some(SealedInner { incarnation, sealed }))
    }

    /// Positions and messages, to the end.
    pub(super) fn messages(&mut self) -> Result<Vec<(u64, Bytes)>, StoreError> {
        let mut messages = Vec::with_capacity(self.0.len() / 2);
        while !self.is_empty() {
            messages.push((self.number()?, self.bytes()?));
        }
        Ok(messages)
    }

    /// A part of a stream, to the end.
    pub(super) fn slice(&mut self) -> Result<LogSlice, StoreError> {
        let gap = self.number()? == 1;
        let mut state = self.bytes()?;
        let state = match state.first() {
            None => StreamState::Unknown,
            Some(b'f') => StreamState::Finished,
            Some(b'o') => StreamState::Open(state.split_off(1)),
            Some(_) => return Err(StoreErrorKind::Corrupt.into()),
        };
        Ok(LogSlice { messages: self.messages()?, gap, state })
    }
}
