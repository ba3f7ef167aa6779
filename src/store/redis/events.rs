//! [`EventLog`] on Redis: one capped stream per shard, which the scripts that make a change write to.
//!
//! An entry's id is the event's offset and, to the microsecond, when it was recorded.

use async_trait::async_trait;
use futures::future::try_join_all;
use futures::stream::{BoxStream, StreamExt};

use super::answer::Answer;
use super::bell::{Bell, Line, Signal};
use super::scripts::{self, Call};
use super::{RedisStore, entry};
use crate::store::{Epoch, EventHead, EventLog, EventSignal, EventSlice, Refusal, StoreError, StoreErrorKind};

/// Offsets beyond this are not told apart by the scripts, and will never be reached.
const FAR: u64 = 1 << 53;

#[async_trait]
impl EventLog for RedisStore {
    async fn event_heads(&self) -> Result<Vec<EventHead>, StoreError> {
        let slices = self.keys().shards().map(|shard| self.slice(shard, FAR, 0));
        Ok(try_join_all(slices).await?.into_iter().map(|slice| slice.head).collect())
    }

    async fn events(&self, part: usize, after: u64, max: usize) -> Result<EventSlice, StoreError> {
        self.slice(self.shard(part)?, after.min(FAR), max).await
    }

    async fn record_refusal(&self, refusal: &Refusal) -> Result<(), StoreError> {
        let call = match &refusal.session {
            Some(key) => Call::on(&scripts::REFUSE, self.keys(), key).arg(key.as_str()),
            None => Call::new(&scripts::REFUSE, self.keys(), 0, &[]).arg(""),
        };
        let call = call.arg(refusal.outcome.as_str()).arg(refusal.door.as_str());
        self.lease().await?.ask::<u8>(&call).await.map(|_| ())
    }

    async fn renew_epoch(&self, part: usize, known: &EventHead) -> Result<EventHead, StoreError> {
        let call = Call::new(&scripts::RENEW, self.keys(), self.shard(part)?, &[])
            .arg(known.epoch.as_str())
            .number(known.offset.min(FAR));
        head(&mut Answer::of(self.lease().await?.ask(&call).await?))
    }

    async fn hear_events(&self) -> Result<BoxStream<'static, EventSignal>, StoreError> {
        let signals = self.inner.watch.get_or_init(|| self.hang_watch()).listen(self.patience()).await?;
        Ok(signals.map(EventSignal::from).boxed())
    }
}

impl RedisStore {
    async fn slice(&self, shard: u16, after: u64, max: usize) -> Result<EventSlice, StoreError> {
        let call = Call::new(&scripts::EVENTS, self.keys(), shard, &[]).number(after).number(max as u64);
        let mut answer = Answer::of(self.link().ask(&call).await?);
        let (head, gap) = (head(&mut answer)?, answer.number()? == 1);
        let entries = answer.messages()?;
        let events: Result<_, _> = entries.iter().map(|(offset, text)| entry::decode(*offset, text)).collect();
        Ok(EventSlice { head, gap, events: events? })
    }

    fn shard(&self, part: usize) -> Result<u16, StoreError> {
        let shard = u16::try_from(part).ok().filter(|shard| self.keys().shards().contains(shard));
        shard.ok_or_else(|| StoreError::new(StoreErrorKind::Misconfigured, "the store has no such part"))
    }

    fn hang_watch(&self) -> Bell<EventSignal> {
        let client = self.inner.client.clone();
        let connect_timeout = self.inner.connect_timeout;
        Bell::hang(Line { client, channel: self.keys().event_channel(), connect_timeout, decode: entry::hear })
    }
}

fn head(answer: &mut Answer) -> Result<EventHead, StoreError> {
    let epoch = Epoch::parse(&answer.text()?).ok_or(StoreErrorKind::Corrupt)?;
    Ok(EventHead { epoch, offset: answer.number()? })
}

/// A loss is a reason to look; so is its end, when there is something to see again.
impl From<Signal<Self>> for EventSignal {
    fn from(signal: Signal<Self>) -> Self {
        match signal {
            Signal::Message(heard) => heard,
            Signal::Lost | Signal::Restored => Self::Gap,
        }
    }
}
