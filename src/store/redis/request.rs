//! [`Request`]: whatever can be asked through a connection, held or pooled.

use deadpool_redis::redis::aio::ConnectionLike;
use deadpool_redis::redis::{Cmd, FromRedisValue, Pipeline, RedisResult};

/// Something to ask Redis.
pub(super) trait Request: Sync {
    /// Asks, and reads the answer.
    fn send<T: FromRedisValue + Send>(
        &self,
        to: &mut (impl ConnectionLike + Send),
    ) -> impl Future<Output = RedisResult<T>> + Send;
}

impl Request for Cmd {
    async fn send<T: FromRedisValue + Send>(&self, to: &mut (impl ConnectionLike + Send)) -> RedisResult<T> {
        self.query_async(to).await
    }
}

impl Request for Pipeline {
    async fn send<T: FromRedisValue + Send>(&self, to: &mut (impl ConnectionLike + Send)) -> RedisResult<T> {
        self.query_async(to).await
    }
}
