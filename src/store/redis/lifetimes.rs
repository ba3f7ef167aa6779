//! Lifetimes on Redis: they stand in each session's record; those that were announced, in the head of each shard.

use deadpool_redis::redis::{self, Cmd};

use super::RedisStore;
use super::scripts::{self, Call, span};
use super::sweep::keys;
use crate::id::SessionKey;
use crate::store::{Lifetimes, StoreError};

/// Sessions that one call of the script changes; it runs for about a millisecond then.
const CHANGED_AT_ONCE: isize = 50;

impl RedisStore {
    /// Those that were announced first: a session's that was written without.
    pub(super) async fn first_lifetimes(&self, key: &SessionKey) -> Result<Lifetimes, StoreError> {
        let head = self.keys().head(self.keys().shard_of(key));
        let announced: Option<String> = self.link().ask(&Cmd::hget(head, "lifetimes")).await?;
        Ok(announced.and_then(|text| Lifetimes::parse(&text)).unwrap_or_default())
    }

    pub(super) async fn announce_to_all_shards(&self, lifetimes: &Lifetimes) -> Result<Option<Lifetimes>, StoreError> {
        let mut lease = self.lease().await?;
        let mut before = None;
        for shard in self.keys().shards().rev() {
            let call = Call::new(&scripts::ANNOUNCE_LIFETIMES, self.keys(), shard, &[])
                .owned(lifetimes.to_text().into_bytes())
                .number(span(lifetimes.key_ttl()));
            let said: Option<String> = lease.ask(&call).await?;
            before = said.and_then(|text| Lifetimes::parse(&text));
        }
        Ok(before)
    }

    /// From the youngest session to the oldest, by rank: whatever ends meanwhile, nobody is skipped.
    pub(super) async fn apply_to_all(&self, lifetimes: &Lifetimes) -> Result<u64, StoreError> {
        let mut lease = self.lease().await?;
        let (text, mut changed) = (lifetimes.to_text(), 0);
        for shard in self.keys().shards() {
            let born = self.keys().born(shard);
            let mut left: isize = lease.ask(&Cmd::zcard(&born)).await?;
            while left > 0 {
                let first = (left - CHANGED_AT_ONCE).max(0);
                let mut range = redis::cmd("ZRANGE");
                range.arg(&born).arg(first).arg(left - 1);
                let sessions = keys(&lease.ask::<Vec<String>>(&range).await?)?;
                let call = Call::new(&scripts::APPLY_LIFETIMES, self.keys(), shard, &sessions).arg(&text);
                let call = sessions.iter().fold(call, |call, key| call.arg(key.as_str()));
                changed += lease.ask::<u64>(&call).await?;
                left = first;
            }
        }
        Ok(changed)
    }
}
