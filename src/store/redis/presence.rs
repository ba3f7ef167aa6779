//! [`Presence`] on Redis: a key that expires for each replica, and a hash of what they say.

use std::time::Duration;

use async_trait::async_trait;
use deadpool_redis::redis::{self, Cmd};

use super::RedisStore;
use super::scripts::{self, Call, span};
use crate::store::{Believed, Fact, Presence, ReplicaId, StoreError, StoreErrorKind};

#[async_trait]
impl Presence for RedisStore {
    async fn announce(&self, replica: &ReplicaId, ttl: Duration) -> Result<(), StoreError> {
        let mut word = redis::cmd("SET");
        word.arg(self.keys().presence(replica)).arg(1).arg("PX").arg(span(ttl).max(1));
        self.lease().await?.ask(&word).await
    }

    async fn withdraw(&self, replica: &ReplicaId) -> Result<(), StoreError> {
        self.lease().await?.ask::<u8>(&Cmd::del(self.keys().presence(replica))).await.map(|_| ())
    }

    async fn is_present(&self, replica: &ReplicaId) -> Result<bool, StoreError> {
        self.link().ask(&Cmd::exists(self.keys().presence(replica))).await
    }

    async fn declare(&self, facts: &[Fact], ttl: Duration) -> Result<Vec<Option<String>>, StoreError> {
        let shards = self.keys().shards().len().to_string();
        let call = Call::alone(&scripts::DECLARE, self.keys(), self.keys().facts()).number(span(ttl).max(1));
        let call = call.arg("shards").arg(&shards).number(1);
        let call = facts.iter().fold(call, |call, fact| {
            let is_first = u64::from(fact.believed == Believed::First);
            call.arg(&fact.name).arg(&fact.value).number(is_first)
        });
        let told: Vec<String> = self.lease().await?.ask(&call).await?;
        let mut told = told.into_iter().map(|said| said.strip_prefix('=').map(str::to_owned));
        match told.next().flatten() {
            Some(others) if others != shards => Err(self.other_shards(&others)),
            _ => Ok(told.collect()),
        }
    }
}

impl RedisStore {
    /// The sessions lie in other keys than this store would look in.
    fn other_shards(&self, others: &str) -> StoreError {
        let (prefix, own, facts) = (self.keys().prefix(), self.keys().shards().len(), self.keys().facts());
        let why = format!(
            "the sessions under the prefix {prefix} are spread over {others} shards, and this store is set to {own}: set it to the same \
             number, or to another prefix; if no session is left, `HDEL {facts} shards` makes it forget"
        );
        StoreError::new(StoreErrorKind::Misconfigured, why)
    }
}
