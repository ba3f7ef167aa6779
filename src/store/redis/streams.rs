//! [`StreamLog`] on Redis: one list per session, made by the first append.
//!
//! Positions are consecutive and only the oldest message is ever dropped, so a message's place in the list tells its
//! position. What each stream lost stands beside it, for as long as the session lives: a log that was dropped whole
//! because nobody used it leaves gaps, not silence, and its positions are not used again.

use async_trait::async_trait;
use bytes::Bytes;
use deadpool_redis::redis::{FromRedisValue, Value, from_redis_value};

use super::failure::store_error;
use super::scripts::{self, Call, span};
use super::{RedisStore, StoreError};
use crate::id::SessionKey;
use crate::store::{Appended, LogLimits, LogSlice, StoreErrorKind, StreamLog, StreamName};

#[async_trait]
impl StreamLog for RedisStore {
    async fn append(
        &self,
        key: &SessionKey,
        generation: u32,
        stream: &StreamName,
        messages: &[Bytes],
        limits: &LogLimits,
    ) -> Result<Appended, StoreError> {
        let call = Call::on(&scripts::APPEND, self.keys(), key)
            .arg(key.as_str())
            .number(generation.into())
            .arg(stream.as_str())
            .number(limits.messages as u64)
            .number(limits.bytes as u64)
            .number(span(limits.ttl).max(1));
        let call = messages.iter().fold(call, |call, message| call.arg(message));
        match self.lease().await?.ask::<i64>(&call).await? {
            -1 => Ok(Appended::Superseded),
            last => Ok(u64::try_from(last).map_or(Appended::Gone, |last| Appended::Stored { last })),
        }
    }

    async fn read(
        &self,
        key: &SessionKey,
        stream: &StreamName,
        after: u64,
        max: usize,
    ) -> Result<LogSlice, StoreError> {
        let call = Call::on(&scripts::READ, self.keys(), key).arg(stream.as_str()).number(after).number(max as u64);
        let mut answer = self.link().ask::<Vec<Value>>(&call).await?.into_iter();
        let gap = part::<u8>(answer.next())? == 1;
        let mut messages = Vec::with_capacity(answer.len() / 2);
        while let Some(position) = answer.next() {
            messages.push((part(Some(position))?, Bytes::from(part::<Vec<u8>>(answer.next())?)));
        }
        Ok(LogSlice { messages, gap })
    }
}

fn part<T: FromRedisValue>(value: Option<Value>) -> Result<T, StoreError> {
    let value = value.ok_or(StoreErrorKind::Corrupt)?;
    from_redis_value(value).map_err(|error| store_error(error.into()))
}
