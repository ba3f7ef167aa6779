//! [`EventLog`] on Redis: one capped stream per shard, which the scripts that make a change write to.
//!
//! An entry's id is the event's offset and, to the microsecond, when it was recorded.

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::try_join_all;
use futures::stream::{BoxStream, StreamExt};

use super::RedisStore;
use super::answer::Answer;
use super::bell::{Bell, Line, Signal};
use super::entry::{self, Heard};
use super::scripts::{self, Call};
use super::witness::{EntryId, Mark, Witness};
use crate::id::SessionKey;
use crate::store::{Epoch, EventHead, EventLog, EventSignal, EventSlice, Refusal, StoreError, StoreErrorKind};

/// Offsets beyond this are not told apart by the scripts, and will never be reached.
const FAR: u64 = 1 << 53;

#[async_trait]
impl EventLog for RedisStore {
    async fn event_heads(&self) -> Result<Vec<EventHead>, StoreError> {
        let slices = self.keys().shards().map(|shard| self.slice(shard.into(), FAR, 0));
        Ok(try_join_all(slices).await?.into_iter().map(|slice| slice.head).collect())
    }

    fn event_part(&self, key: &SessionKey) -> usize {
        self.keys().shard_of(key).into()
    }

    async fn events(&self, part: usize, after: u64, max: usize) -> Result<EventSlice, StoreError> {
        self.slice(part, after.min(FAR), max).await
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
        let mut answer = Answer::of(self.lease().await?.ask(&call).await?);
        self.end(part, &mut answer)
    }

    async fn hear_events(&self) -> Result<BoxStream<'static, EventSignal>, StoreError> {
        let signals = self.inner.watch.get_or_init(|| self.hang_watch()).listen(self.patience()).await?;
        let witness = Arc::clone(&self.inner.witness);
        Ok(signals.map(move |signal| told(&witness, signal)).boxed())
    }
}

impl RedisStore {
    async fn slice(&self, part: usize, after: u64, max: usize) -> Result<EventSlice, StoreError> {
        let known = self.inner.witness.mark(part);
        let (epoch, id) = known.as_ref().map_or(("", ""), |known| (known.epoch.as_str(), known.id.as_str()));
        let call = Call::new(&scripts::EVENTS, self.keys(), self.shard(part)?, &[])
            .number(after)
            .number(max as u64)
            .arg(epoch)
            .arg(id);
        let mut answer = Answer::of(self.link().ask(&call).await?);
        let (head, gap) = (self.end(part, &mut answer)?, answer.number()? == 1);
        let mut events = Vec::new();
        while !answer.is_empty() {
            events.push(entry::decode(EntryId::parse(&answer.text()?)?.offset, &answer.bytes()?)?);
        }
        Ok(EventSlice { head, gap, events })
    }

    /// Where a part's log ends, as the scripts tell it.
    fn end(&self, part: usize, answer: &mut Answer) -> Result<EventHead, StoreError> {
        let epoch = Epoch::parse(&answer.text()?).ok_or(StoreErrorKind::Corrupt)?;
        let id = EntryId::parse(&answer.text()?)?;
        let head = EventHead { epoch: epoch.clone(), offset: id.offset };
        self.inner.witness.looked(part, Mark { epoch, id });
        Ok(head)
    }

    fn shard(&self, part: usize) -> Result<u16, StoreError> {
        let shard = u16::try_from(part).ok().filter(|shard| self.keys().shards().contains(shard));
        shard.ok_or_else(|| StoreError::new(StoreErrorKind::Misconfigured, "the store has no such part"))
    }

    fn hang_watch(&self) -> Bell<Option<Heard>> {
        let client = self.inner.client.clone();
        let connect_timeout = self.inner.connect_timeout;
        let decode = |text: &[u8]| Some(Heard::decode(text));
        Bell::hang(Line { client, channel: self.keys().event_channel(), connect_timeout, decode })
    }
}

/// A loss is a reason to look; so is its end, when there is something to see again. What this version does not understand, it
/// has missed.
fn told(witness: &Witness, signal: Signal<Option<Heard>>) -> EventSignal {
    match signal {
        Signal::Message(Some(heard)) => {
            witness.heard(heard.part, heard.mark.clone());
            heard.into()
        }
        Signal::Message(None) => EventSignal::Gap,
        Signal::Lost | Signal::Restored => {
            witness.interrupted();
            EventSignal::Gap
        }
    }
}
