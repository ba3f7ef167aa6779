//! [`Inbox`] on Redis: one list of letters per session, made by the first, and a hash of what its client is asked.

use async_trait::async_trait;
use bytes::Bytes;

use super::RedisStore;
use super::answer::Answer;
use super::scripts::{self, Call, span};
use crate::id::SessionKey;
use crate::store::{
    Asked, Inbox, Letters, LogLimits, Posted, QuestionName, Shaped, Shaping, StoreError, StoreErrorKind,
};

#[async_trait]
impl Inbox for RedisStore {
    async fn ask(
        &self,
        key: &SessionKey,
        generation: u32,
        question: &QuestionName,
        most: usize,
    ) -> Result<Asked, StoreError> {
        let call = Call::on(&scripts::ASK, self.keys(), key)
            .number(generation.into())
            .arg(question.as_str())
            .number(most as u64);
        match self.lease().await?.ask::<i64>(&call).await? {
            1 => Ok(Asked::Open),
            0 => Ok(Asked::TooMany),
            -1 => Ok(Asked::Superseded),
            -2 => Ok(Asked::Gone),
            _ => Err(StoreErrorKind::Corrupt.into()),
        }
    }

    async fn settle(&self, key: &SessionKey, generation: u32, question: &QuestionName) -> Result<bool, StoreError> {
        let call = Call::on(&scripts::SETTLE, self.keys(), key).number(generation.into()).arg(question.as_str());
        self.lease().await?.ask(&call).await
    }

    async fn post(
        &self,
        key: &SessionKey,
        generation: u32,
        letter: &Bytes,
        answers: Option<&QuestionName>,
        limits: &LogLimits,
    ) -> Result<Posted, StoreError> {
        let call = Call::on(&scripts::POST, self.keys(), key)
            .arg(key.as_str())
            .number(generation.into())
            .arg(answers.map_or("", QuestionName::as_str));
        let call = limited(call, limits).arg(letter);
        match self.lease().await?.ask::<i64>(&call).await? {
            -1 => Ok(Posted::Superseded),
            -2 => Ok(Posted::Gone),
            -3 => Ok(Posted::NotAsked),
            _ => Ok(Posted::Posted),
        }
    }

    async fn shape(
        &self,
        key: &SessionKey,
        generation: u32,
        shaping: &Shaping,
        most: usize,
        limits: &LogLimits,
    ) -> Result<Shaped, StoreError> {
        let kept = shaping.call.as_deref().unwrap_or_default();
        let call = Call::on(&scripts::SHAPE, self.keys(), key)
            .arg(key.as_str())
            .number(generation.into())
            .arg(&shaping.name)
            .number(shaping.call.is_some().into())
            .arg(kept)
            .number(most as u64);
        let call = limited(call, limits).arg(&shaping.letter);
        match self.lease().await?.ask::<i64>(&call).await? {
            -1 => Ok(Shaped::Superseded),
            -2 => Ok(Shaped::Gone),
            -3 => Ok(Shaped::TooLarge),
            _ => Ok(Shaped::Shaped),
        }
    }

    async fn letters(&self, key: &SessionKey, after: u64, max: usize) -> Result<Letters, StoreError> {
        let call = Call::on(&scripts::LETTERS, self.keys(), key).number(after).number(max as u64);
        let mut answer = Answer::of(self.link().ask(&call).await?);
        let (gap, listener) = (answer.number()? == 1, answer.number()?);
        Ok(Letters { gap, listened: listener > 0, letters: answer.messages()? })
    }
}

fn limited<'a>(call: Call<'a>, limits: &LogLimits) -> Call<'a> {
    call.number(limits.messages as u64).number(limits.bytes as u64).number(span(limits.ttl).max(1))
}
