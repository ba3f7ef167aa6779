//! [`SessionStore`] on Redis: reads are plain commands on the held connection, transitions are scripts through the pool.
//!
//! A session's record tells its format; its values do not, and are returned whatever the format.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use deadpool_redis::redis::{self, Cmd};

use super::answer::Answer;
use super::pool::Lease;
use super::scripts::{self, Call, span};
use super::{RedisStore, record, sweep};
use crate::id::SessionKey;
use crate::session::{EndReason, NewSession, Principal, SessionRecord, Timestamp};
use crate::store::{
    Adoption, Blueprint, Census, DataPut, DataRemoved, Ended, EndedBy, InnerReplaced, Lifetimes, Opening, Reconnected,
    Reconnection, Revival, SessionStore, StoreError, StoreErrorKind, Swept, Touch, TouchOutcome, Touched,
};

/// Touches that go into one call of the script; it runs for about a millisecond then.
const TOUCHES_AT_ONCE: usize = 200;

#[async_trait]
impl SessionStore for RedisStore {
    async fn open(&self, session: &NewSession, cap: Option<u64>) -> Result<Opening, StoreError> {
        let shards = self.keys().shards().len() as u64;
        let cap = cap.map_or_else(|| "-1".to_owned(), |cap| cap.div_ceil(shards).to_string());
        let call = Call::on(&scripts::OPEN, self.keys(), &session.key)
            .arg(session.key.as_str())
            .arg(&record::NEW_HEAD)
            .owned(record::new_tail(&session.digest, &session.origin, &session.lifetimes)?)
            .arg(&session.handshake)
            .owned(cap.into_bytes());
        let call = session.inner.iter().fold(call, |call, inner| call.arg(inner));
        match self.lease().await?.ask::<i64>(&call).await? {
            -1 => Ok(Opening::KeyTaken),
            -2 => Ok(Opening::Full),
            at => Ok(Opening::Opened { at: Timestamp(u64::try_from(at).map_err(|_| StoreErrorKind::Corrupt)?) }),
        }
    }

    async fn find(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        let Some(value) = self.inner.reads.get(self.link(), self.keys().record(key)).await? else { return Ok(None) };
        let lifetimes = match record::lifetimes(&value) {
            Some(own) => own,
            None => self.first_lifetimes(key).await?,
        };
        record::decode(*key, &value, lifetimes).map(Some)
    }

    async fn blueprint(&self, key: &SessionKey) -> Result<Option<Blueprint>, StoreError> {
        let call = Call::on(&scripts::BLUEPRINT, self.keys(), key);
        let mut answer = Answer::of(self.link().ask(&call).await?);
        if answer.is_empty() {
            return Ok(None);
        }
        let (handshake, inbox, listener) = (answer.bytes_or_nil()?, answer.number()?, answer.number()?);
        let generation = u32::try_from(answer.number()?).map_err(|_| StoreErrorKind::Corrupt)?;
        let inner = answer.inner()?;
        let mut shapings = Vec::new();
        while !answer.is_empty() {
            shapings.push((answer.text()?, answer.bytes()?));
        }
        Ok(Some(Blueprint { generation, handshake, shapings, inbox, listened: listener > 0, inner }))
    }

    async fn touch(&self, batch: &[Touch]) -> Result<Touched, StoreError> {
        let mut lease = self.lease().await?;
        let mut touched = Touched { now: Timestamp(0), outcomes: vec![TouchOutcome::Gone; batch.len()] };
        for shard in self.keys().shards() {
            let here = |place: &usize| self.keys().shard_of(&batch[*place].key) == shard;
            let places: Vec<usize> = (0..batch.len()).filter(here).collect();
            for places in places.chunks(TOUCHES_AT_ONCE) {
                self.touch_some(&mut lease, shard, batch, places, &mut touched).await?;
            }
        }
        if batch.is_empty() {
            self.touch_some(&mut lease, 0, batch, &[], &mut touched).await?;
        }
        Ok(touched)
    }

    async fn revive(&self, key: &SessionKey, generation: u32, replica: &str) -> Result<Revival, StoreError> {
        let call =
            Call::on(&scripts::REVIVE, self.keys(), key).arg(key.as_str()).arg(replica).number(generation.into());
        Ok(match self.lease().await?.ask::<i64>(&call).await? {
            -1 => Revival::Superseded,
            -3 => Revival::AlreadyActive,
            gap => u64::try_from(gap).map_or(Revival::Gone, |gap| Revival::Revived { gap: Duration::from_millis(gap) }),
        })
    }

    async fn reconnect(&self, change: &Reconnection) -> Result<Reconnected, StoreError> {
        self.renew(change).await
    }

    async fn adopt(&self, key: &SessionKey, generation: u32, principal: &Principal) -> Result<Adoption, StoreError> {
        self.give_to(key, generation, principal).await
    }

    async fn replace_inner(
        &self,
        key: &SessionKey,
        generation: u32,
        expected: Option<u64>,
        sealed: Bytes,
    ) -> Result<InnerReplaced, StoreError> {
        self.compare_and_set_inner(key, generation, expected, &sealed).await
    }

    async fn take_inner(&self, key: &SessionKey) -> Result<Option<Bytes>, StoreError> {
        self.take_inner_left(key).await
    }

    async fn end(&self, key: &SessionKey, by: EndedBy, reason: EndReason) -> Result<Ended, StoreError> {
        let holder = match by {
            EndedBy::Holder(generation) => generation.to_string(),
            EndedBy::Operator => String::new(),
        };
        let call =
            Call::on(&scripts::END, self.keys(), key).arg(key.as_str()).arg(reason.as_str()).owned(holder.into_bytes());
        let mut answer = Answer::of(self.lease().await?.ask(&call).await?);
        Ok(match answer.signed()? {
            -1 => Ended::Superseded,
            -2 => Ended::Gone,
            _ if answer.is_empty() => Ended::Done { inner: None },
            _ => Ended::Done { inner: Some(answer.bytes()?) },
        })
    }

    async fn sweep(&self, grace: Duration, limit: usize) -> Result<Swept, StoreError> {
        sweep::sweep(self, grace, limit).await
    }

    async fn apply_lifetimes(&self, lifetimes: &Lifetimes) -> Result<u64, StoreError> {
        self.apply_to_all(lifetimes).await
    }

    async fn announce_lifetimes(&self, lifetimes: &Lifetimes) -> Result<Option<Lifetimes>, StoreError> {
        self.announce_to_all_shards(lifetimes).await
    }

    async fn data_get(&self, key: &SessionKey, name: &str) -> Result<Option<Bytes>, StoreError> {
        let value: Option<Vec<u8>> = self.link().ask(&Cmd::hget(self.keys().data(key), format!(":{name}"))).await?;
        Ok(value.map(Bytes::from))
    }

    async fn data_put(
        &self,
        key: &SessionKey,
        generation: u32,
        name: &str,
        value: Bytes,
        limit: usize,
    ) -> Result<DataPut, StoreError> {
        let call = Call::on(&scripts::DATA_PUT, self.keys(), key)
            .number(generation.into())
            .arg(name)
            .arg(&value)
            .number(limit as u64);
        Ok(match self.lease().await?.ask::<i64>(&call).await? {
            1 => DataPut::Stored,
            0 => DataPut::TooLarge,
            -1 => DataPut::Superseded,
            _ => DataPut::Gone,
        })
    }

    async fn data_remove(&self, key: &SessionKey, generation: u32, name: &str) -> Result<DataRemoved, StoreError> {
        let call = Call::on(&scripts::DATA_REMOVE, self.keys(), key).number(generation.into()).arg(name);
        Ok(match self.lease().await?.ask::<i64>(&call).await? {
            1 => DataRemoved::Removed,
            0 => DataRemoved::Nothing,
            -1 => DataRemoved::Superseded,
            _ => DataRemoved::Gone,
        })
    }

    async fn census(&self) -> Result<Census, StoreError> {
        let mut counts = redis::pipe();
        for shard in self.keys().shards() {
            counts.zcard(self.keys().seen(shard)).zcard(self.keys().gone(shard));
        }
        let counts: Vec<u64> = self.link().ask(&counts).await?;
        let sum = |parity: usize| counts.iter().skip(parity).step_by(2).sum();
        Ok(Census { active: sum(0), disconnected: sum(1) })
    }
}

impl RedisStore {
    /// Touches the sessions of one shard that stand at these places in the batch.
    async fn touch_some(
        &self,
        lease: &mut Lease<'_>,
        shard: u16,
        batch: &[Touch],
        places: &[usize],
        touched: &mut Touched,
    ) -> Result<(), StoreError> {
        let sessions: Vec<SessionKey> = places.iter().map(|place| batch[*place].key).collect();
        let call = Call::new(&scripts::TOUCH, self.keys(), shard, &sessions);
        let call = places.iter().fold(call, |call, place| {
            let Touch { key, generation, age, confirms } = &batch[*place];
            call.arg(key.as_str()).number(u64::from(*generation)).number(span(*age)).number(u64::from(*confirms))
        });
        let (now, letters): (u64, String) = lease.ask(&call).await?;
        touched.now = touched.now.max(Timestamp(now));
        for (place, letter) in places.iter().zip(letters.chars()) {
            touched.outcomes[*place] = outcome(letter)?;
        }
        Ok(())
    }
}

/// A session of a newer format is left to the replicas that know it. It lives, so it is not called gone.
fn outcome(letter: char) -> Result<TouchOutcome, StoreError> {
    match letter {
        'A' | 'N' => Ok(TouchOutcome::Active),
        'D' => Ok(TouchOutcome::Disconnected),
        'S' => Ok(TouchOutcome::Superseded),
        'G' => Ok(TouchOutcome::Gone),
        _ => Err(StoreErrorKind::Corrupt.into()),
    }
}
