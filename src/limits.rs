//! How much one address, one principal and one session may ask for: [`RateLimits`].

use std::time::Duration;

use crate::rate::Rate;

/// Most permits in one window: the store remembers when each of them was given.
const MOST: u32 = 10_000;

/// How often sessions may be opened and reconnected, over all replicas together, and how many may live.
///
/// Limits by address need to know the client's address: `SessionLayerBuilder::peer` or a [`PeerAddr`](crate::PeerAddr) in the
/// request's extensions tells the TCP peer, `SessionLayerBuilder::trusted_proxy` whose `X-Forwarded-For` to believe. Without it
/// what they limit is refused, with a text that says so. Of an IPv6 address the first 64 bits count.
///
/// ```
/// use std::time::Duration;
/// use tower_mcp_sessions::{RateLimits, store::Rate};
///
/// let limits = RateLimits {
///     opens_per_address: Some(Rate { most: 100, per: Duration::from_secs(60) }),
///     live_sessions: Some(200_000),
///     ..RateLimits::default()
/// };
/// # assert!(limits != RateLimits::off());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// Sessions opened from one address. Default: no limit.
    pub opens_per_address: Option<Rate>,
    /// Sessions opened by one principal. Default: no limit.
    pub opens_per_principal: Option<Rate>,
    /// Sessions that may live at once. Where a store shares them out over several shards, so it does with this number.
    /// Default: no limit.
    pub live_sessions: Option<u64>,
    /// Reconnect attempts from one address, counted before the token is looked at. Default: 60 a minute.
    pub reconnects_per_address: Option<Rate>,
    /// Reconnect attempts for one session with its newest token, by its own principal. Spent, expired and other principals'
    /// tokens and retries with a nonce do not count: who has one of those keeps the holder out of nothing. Default: 60 a minute.
    pub reconnects_per_session: Option<Rate>,
    /// Reconnect attempts of one principal with genuine tokens, whichever session they are for. Default: 60 a minute.
    pub reconnects_per_principal: Option<Rate>,
}

impl RateLimits {
    /// No limits at all.
    #[must_use]
    pub const fn off() -> Self {
        Self {
            opens_per_address: None,
            opens_per_principal: None,
            live_sessions: None,
            reconnects_per_address: None,
            reconnects_per_session: None,
            reconnects_per_principal: None,
        }
    }

    /// What makes no sense, in words.
    pub(crate) fn problems(&self) -> Vec<String> {
        let rates = [
            ("opens_per_address", self.opens_per_address),
            ("opens_per_principal", self.opens_per_principal),
            ("reconnects_per_address", self.reconnects_per_address),
            ("reconnects_per_session", self.reconnects_per_session),
            ("reconnects_per_principal", self.reconnects_per_principal),
        ];
        let absurd = |rate: Rate| rate.most == 0 || rate.most > MOST || rate.per < Duration::from_millis(1);
        let absurd = rates.into_iter().filter(|(_, rate)| rate.is_some_and(absurd));
        absurd
            .map(|(name, _)| format!("{name} must permit 1 to {MOST} in at least a millisecond; use None for no limit"))
            .collect()
    }
}

impl Default for RateLimits {
    fn default() -> Self {
        let reconnects = Some(Rate { most: 60, per: Duration::from_secs(60) });
        Self {
            reconnects_per_address: reconnects,
            reconnects_per_session: reconnects,
            reconnects_per_principal: reconnects,
            ..Self::off()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_permit_nothing_are_named() {
        assert_eq!(RateLimits::default().problems(), Vec::<String>::new());
        let never = Some(Rate { most: 0, per: Duration::from_secs(1) });
        let problems = RateLimits { opens_per_address: never, ..RateLimits::off() }.problems();
        assert!(problems.len() == 1 && problems[0].contains("opens_per_address"), "{problems:?}");
    }
}
