//! [`Limiter`] on Redis: for each window a list of when permits were given, which ends with the span of the last one.

use std::time::Duration;

use async_trait::async_trait;

use super::RedisStore;
use super::scripts::{self, Call, span};
use crate::session::Timestamp;
use crate::store::{Limiter, Rate, StoreError, Taken, WindowName};

#[async_trait]
impl Limiter for RedisStore {
    async fn take(&self, window: &WindowName, rate: &Rate) -> Result<Taken, StoreError> {
        let call = Call::alone(&scripts::TAKE, self.keys(), self.keys().window(window))
            .number(rate.most.into())
            .number(span(rate.per));
        let (now, wait): (u64, i64) = self.lease().await?.ask(&call).await?;
        Ok(Taken { now: Timestamp(now), retry_after: u64::try_from(wait).ok().map(Duration::from_millis) })
    }
}
