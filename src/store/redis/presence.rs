//! [`Presence`] on Redis: a key that expires.

use std::time::Duration;

use async_trait::async_trait;
use deadpool_redis::redis::{self, Cmd};

use super::RedisStore;
use super::scripts::span;
use crate::store::{Presence, ReplicaId, StoreError};

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
}
