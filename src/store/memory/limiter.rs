//! [`Limiter`] in memory.

use std::time::Duration;

use async_trait::async_trait;

use super::MemoryStore;
use crate::store::{Limiter, Rate, StoreError, Taken, WindowName};

/// Windows are looked through for ones that are over when there are this many.
const MANY: usize = 1024;

#[async_trait]
impl Limiter for MemoryStore {
    async fn take(&self, window: &WindowName, rate: &Rate) -> Result<Taken, StoreError> {
        let now = self.now();
        let since_epoch = Duration::from_millis(now.0);
        let mut state = self.state();
        if state.windows.len() >= MANY {
            state.windows.retain(|_, window| !window.is_over(since_epoch));
        }
        let retry_after = state.windows.entry(window.clone()).or_default().take(rate, since_epoch);
        Ok(Taken { now, retry_after })
    }
}
