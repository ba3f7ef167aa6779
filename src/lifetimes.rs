//! [`Lifetimes`]: how long a session lives, and what its client finds on its return. Every session has its own.

use std::fmt;
use std::time::Duration;

use crate::session::millis;

/// How long a session lives. Expiry is judged against the store's clock.
///
/// They are the session's own: whoever opens it gives them, they are kept with it, and a process that is set to others changes
/// nothing about it, but by [`SessionLayer::apply_lifetimes`](crate::SessionLayer::apply_lifetimes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Without activity for this long a session becomes disconnected.
    pub idle_timeout: Duration,
    /// Not seen for this long a session ends.
    pub expires_after: Duration,
    /// Older than this a session ends, used or not.
    pub max_lifetime: Option<Duration>,
    /// A session whose client has not confirmed its handshake within this time of opening ends.
    pub handshake_timeout: Duration,
    /// What becomes of a disconnected session whose client comes back with its id.
    pub on_return: OnReturn,
}

/// What happens when the client of a disconnected session comes back with its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum OnReturn {
    /// The session is active again.
    #[default]
    Revive,
    /// The id answers 404, as if the session had ended.
    Reject,
}

impl OnReturn {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Revive => "revive",
            Self::Reject => "reject",
        }
    }
}

/// What a layer gives its sessions unless told otherwise: 5 minutes, 24 hours, no limit, 60 seconds, revive.
impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(5 * 60),
            expires_after: Duration::from_secs(24 * 60 * 60),
            max_lifetime: None,
            handshake_timeout: Duration::from_secs(60),
            on_return: OnReturn::default(),
        }
    }
}

impl Lifetimes {
    /// How long a key may lie untouched before the store may collect it as garbage. Ending sessions is the sweep's duty;
    /// this is longer than any of them should last.
    #[must_use]
    pub fn key_ttl(&self) -> Duration {
        self.expires_after.saturating_add(Duration::from_secs(300))
    }

    /// As one line of text: the spans in ms, in their order (`-`: none), then `revive` or `reject`. Spans over a century are
    /// written as one.
    #[must_use]
    pub fn to_text(&self) -> String {
        const CENTURY: u64 = 100 * 365 * 24 * 3600 * 1000;
        let span = |span: Duration| millis(span).min(CENTURY);
        let most = self.max_lifetime.map_or_else(|| "-".to_owned(), |most| span(most).to_string());
        let Self { idle_timeout, expires_after, handshake_timeout, on_return, .. } = *self;
        let (idle, expires, handshake) = (span(idle_timeout), span(expires_after), span(handshake_timeout));
        format!("{idle} {expires} {most} {handshake} {}", on_return.as_str())
    }

    /// Reads [`to_text`](Self::to_text) back; `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let mut next = || words.next();
        let span = |word: &str| word.parse().ok().map(Duration::from_millis);
        let (idle_timeout, expires_after) = (span(next()?)?, span(next()?)?);
        let max_lifetime = match next()? {
            "-" => None,
            most => Some(span(most)?),
        };
        let handshake_timeout = span(next()?)?;
        let on_return = match next()? {
            "revive" => OnReturn::Revive,
            "reject" => OnReturn::Reject,
            _ => return None,
        };
        Some(Self { idle_timeout, expires_after, max_lifetime, handshake_timeout, on_return })
    }

    /// The settings that differ from others', each with this value and the other's, in words for an operator.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let span = |span: Duration| format!("{span:?}");
        let most = |most: Option<Duration>| most.map_or_else(|| "none".to_owned(), span);
        let word = |on_return: OnReturn| on_return.as_str().to_owned();
        let settings = [
            ("idle_timeout", span(self.idle_timeout), span(other.idle_timeout)),
            ("expires_after", span(self.expires_after), span(other.expires_after)),
            ("max_lifetime", most(self.max_lifetime), most(other.max_lifetime)),
            ("handshake_timeout", span(self.handshake_timeout), span(other.handshake_timeout)),
            ("on_return", word(self.on_return), word(other.on_return)),
        ];
        let differing = settings.into_iter().filter(|(_, own, others)| own != others);
        differing.map(|(name, own, others)| format!("{name} is {own} here and {others} there")).collect()
    }
}

impl fmt::Display for OnReturn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_survive_their_text() {
        let rejecting = Lifetimes { on_return: OnReturn::Reject, ..Lifetimes::default() };
        let brief = Lifetimes { max_lifetime: Some(Duration::from_millis(1)), ..Lifetimes::default() };
        for lifetimes in [Lifetimes::default(), rejecting, brief] {
            assert_eq!(Lifetimes::parse(&lifetimes.to_text()), Some(lifetimes));
        }
        assert_eq!(Lifetimes::default().to_text(), "300000 86400000 - 60000 revive");
        for text in ["", "1 2 3", "1 2 - 3 stay", "1 2 - x revive", "-1 2 - 3 revive"] {
            assert_eq!(Lifetimes::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_differs_is_named_with_both_values() {
        let other = Lifetimes { idle_timeout: Duration::from_secs(3), ..Lifetimes::default() };
        assert_eq!(Lifetimes::default().differences(&other), ["idle_timeout is 300s here and 3s there"]);
        assert!(other.differences(&other).is_empty());
    }
}
