//! [`Limiter`]: how often something may happen, over all replicas together.

use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::rate::Rate;
use crate::session::Timestamp;

/// Windows that count what happened lately.
#[async_trait]
pub trait Limiter: Send + Sync + 'static {
    /// Takes a permit from a window, unless `rate.most` were taken within the last `rate.per`. Exact over all callers: in no
    /// span of that length are more permits given. What is refused is not counted.
    async fn take(&self, window: &WindowName, rate: &Rate) -> Result<Taken, StoreError>;
}

/// The name of a window: up to 64 visible ASCII characters, no space.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WindowName(String);

impl WindowName {
    /// Reads a name; `None` if it is empty, too long or has other characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What came of [`Limiter::take`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The store's clock.
    pub now: Timestamp,
    /// `None`: a permit was given. Else how long until there is another one.
    pub retry_after: Option<Duration>,
}
