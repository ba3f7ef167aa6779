//! [`Limiter`] in memory.

use std::collections::VecDeque;
use std::time::Duration;

use async_trait::async_trait;

use super::MemoryStore;
use crate::session::Timestamp;
use crate::store::{Limiter, Rate, StoreError, Taken, WindowName};

/// When permits were given, the oldest first, and how long the span of the last one is.
#[derive(Default)]
pub(super) struct Window {
    given: VecDeque<Timestamp>,
    span: Duration,
}

impl Window {
    fn is_over(&self, now: Timestamp) -> bool {
        self.given.back().is_none_or(|last| now.since(*last) >= self.span)
    }
}

/// Windows are looked through for ones that are over when there are this many.
const MANY: usize = 1024;

#[async_trait]
impl Limiter for MemoryStore {
    async fn take(&self, window: &WindowName, rate: &Rate) -> Result<Taken, StoreError> {
        let now = self.now();
        let mut state = self.state();
        if state.windows.len() >= MANY {
            state.windows.retain(|_, window| !window.is_over(now));
        }
        let Window { given, span } = state.windows.entry(window.clone()).or_default();
        while given.front().is_some_and(|first| now.since(*first) >= rate.per) {
            given.pop_front();
        }
        if given.len() < rate.most as usize {
            given.push_back(now);
            *span = rate.per;
            return Ok(Taken { now, retry_after: None });
        }
        let next = given.len() - rate.most as usize;
        let retry_after = given.get(next).map_or(rate.per, |first| rate.per.saturating_sub(now.since(*first)));
        Ok(Taken { now, retry_after: Some(retry_after) })
    }
}
