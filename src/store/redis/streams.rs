//! [`StreamLog`] on Redis: one list per session, made by the first append.
//!
//! Positions are consecutive and only the oldest message is ever dropped, so a message's place in the list tells its
//! position. What each stream lost stands beside it, for as long as the session lives: a log that was dropped whole
//! because nobody used it leaves gaps, not silence, and its positions are not used again.

use async_trait::async_trait;
use bytes::Bytes;

use super::answer::Answer;
use super::scripts::{self, Call, span};
use super::{RedisStore, StoreError};
use crate::id::SessionKey;
use crate::store::{
    Appended, Heard, ListenCursor, Listening, LogLimits, LogSlice, ReplicaId, StoreErrorKind, StreamLog, StreamName,
};

#[async_trait]
impl StreamLog for RedisStore {
    async fn begin(
        &self,
        key: &SessionKey,
        generation: u32,
        stream: &StreamName,
        about: &[u8],
    ) -> Result<Appended, StoreError> {
        let call =
            Call::on(&scripts::BEGIN, self.keys(), key).number(generation.into()).arg(stream.as_str()).arg(about);
        self.lease().await?.ask(&call).await.and_then(appended)
    }

    async fn append(
        &self,
        key: &SessionKey,
        generation: u32,
        stream: &StreamName,
        messages: &[Bytes],
        limits: &LogLimits,
    ) -> Result<Appended, StoreError> {
        self.write(key, generation, stream, messages, false, limits).await
    }

    async fn finish(
        &self,
        key: &SessionKey,
        generation: u32,
        stream: &StreamName,
        messages: &[Bytes],
        limits: &LogLimits,
    ) -> Result<Appended, StoreError> {
        self.write(key, generation, stream, messages, true, limits).await
    }

    async fn read(
        &self,
        key: &SessionKey,
        stream: &StreamName,
        after: u64,
        max: usize,
    ) -> Result<LogSlice, StoreError> {
        let call = Call::on(&scripts::READ, self.keys(), key).arg(stream.as_str()).number(after).number(max as u64);
        Answer::of(self.link().ask(&call).await?).slice()
    }

    async fn listen(
        &self,
        key: &SessionKey,
        generation: u32,
        replica: &ReplicaId,
        cursor: Option<ListenCursor>,
    ) -> Result<Listening, StoreError> {
        let cursor = cursor.unwrap_or(ListenCursor { listener: 0, position: 0 });
        let call = Call::on(&scripts::LISTEN, self.keys(), key)
            .arg(key.as_str())
            .number(generation.into())
            .number(cursor.listener)
            .number(cursor.position)
            .arg(replica.as_str());
        let mut answer = Answer::of(self.lease().await?.ask(&call).await?);
        Ok(match answer.signed()? {
            -1 => Listening::Superseded,
            -2 => Listening::Gone,
            -3 => Listening::Unknown,
            -4 => Listening::Outdated,
            listener => {
                let listener = u64::try_from(listener).map_err(|_| StoreErrorKind::Corrupt)?;
                Listening::Granted { listener, after: answer.number()? }
            }
        })
    }

    async fn hear(&self, key: &SessionKey, listener: u64, after: u64, max: usize) -> Result<Heard, StoreError> {
        let call = Call::on(&scripts::HEAR, self.keys(), key).number(listener).number(after).number(max as u64);
        let mut answer = Answer::of(self.link().ask(&call).await?);
        if answer.is_empty() {
            return Ok(Heard::Over);
        }
        answer.slice().map(Heard::Messages)
    }

    async fn leave(&self, key: &SessionKey, listener: u64, after: u64) -> Result<(), StoreError> {
        let call = Call::on(&scripts::LEAVE, self.keys(), key).number(listener).number(after);
        self.lease().await?.ask::<u8>(&call).await.map(|_| ())
    }
}

impl RedisStore {
    async fn write(
        &self,
        key: &SessionKey,
        generation: u32,
        stream: &StreamName,
        messages: &[Bytes],
        last: bool,
        limits: &LogLimits,
    ) -> Result<Appended, StoreError> {
        let call = Call::on(&scripts::APPEND, self.keys(), key)
            .arg(key.as_str())
            .number(generation.into())
            .arg(stream.as_str())
            .number(limits.messages as u64)
            .number(limits.bytes as u64)
            .number(span(limits.ttl).max(1))
            .number(last.into());
        let call = messages.iter().fold(call, |call, message| call.arg(message));
        self.lease().await?.ask(&call).await.and_then(appended)
    }
}

fn appended(answer: i64) -> Result<Appended, StoreError> {
    match answer {
        -1 => Ok(Appended::Superseded),
        -2 => Ok(Appended::Gone),
        -3 => Ok(Appended::Finished),
        last => Ok(Appended::Stored { last: u64::try_from(last).map_err(|_| StoreErrorKind::Corrupt)? }),
    }
}
