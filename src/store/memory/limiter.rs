//! [`Limiter`] in memory.

use std::collections::VecDeque;

use async_trait::async_trait;

use super::MemoryStore;
use crate::session::Timestamp;
use crate::store::{Limiter, Rate, StoreError, Taken, WindowName};

/// When permits were given, the oldest first, and how long the last caller's span is.
pub(super) type Window = VecDeque<Timestamp>;

/// Windows are looked through for ones that are over when there are this many.
const MANY: usize = 1024;

#[async_trait]
impl Limiter for MemoryStore {
    async fn take(&self, window: &WindowName, rate: &Rate) -> Result<Taken, StoreError> {
        let now = self.now();
        let mut state = self.state();
        if state.windows.len() >= MANY {
            state.windows.retain(|_, given| given.back().is_some_and(|last| now.since(*last) < rate.per));
        }
        let given = state.windows.entry(window.clone()).or_default();
        while given.front().is_some_and(|first| now.since(*first) >= rate.per) {
            given.pop_front();
        }
        if given.len() < rate.most as usize {
            given.push_back(now);
            return Ok(Taken { now, retry_after: None });
        }
        let next = given.len() - rate.most as usize;
        let retry_after = given.get(next).map_or(rate.per, |first| rate.per.saturating_sub(now.since(*first)));
        Ok(Taken { now, retry_after: Some(retry_after) })
    }
}
