//! *Why did my reconnect fail?* Every attempt to come back to a session ends in one [`ReconnectOutcome`].

use std::fmt;

use serde::Serialize;

/// How an attempt to reconnect ended. Its name stands in answers (`data.outcome`), events and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReconnectOutcome {
    /// The session goes on under a new id.
    Reconnected,
    /// The token was good once; its time is over.
    TokenExpired,
    /// The token is malformed, forged, or signed with a key that is not accepted (any more).
    InvalidToken,
    /// The token is genuine, but made for something else than reconnecting here.
    InvalidTokenPurpose,
    /// The token is genuine, but for another session than the one named with it.
    SessionIdMismatch,
    /// The session has ended, or belongs to somebody else.
    SessionNotFound,
    /// The token was used before, or another attempt was faster.
    TokenMismatch,
    /// Too many attempts in a short time.
    RateLimited,
    /// The attempt could not be judged or finished: the store was away, the inner service refused the handshake, or the client
    /// left.
    Unavailable,
}

impl ReconnectOutcome {
    /// Every outcome.
    pub const ALL: [Self; 9] = [
        Self::Reconnected,
        Self::TokenExpired,
        Self::InvalidToken,
        Self::InvalidTokenPurpose,
        Self::SessionIdMismatch,
        Self::SessionNotFound,
        Self::TokenMismatch,
        Self::RateLimited,
        Self::Unavailable,
    ];

    /// The name, such as `token_expired`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reconnected => "reconnected",
            Self::TokenExpired => "token_expired",
            Self::InvalidToken => "invalid_token",
            Self::InvalidTokenPurpose => "invalid_token_purpose",
            Self::SessionIdMismatch => "session_id_mismatch",
            Self::SessionNotFound => "session_not_found",
            Self::TokenMismatch => "token_mismatch",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
        }
    }

    /// What the person at the client should do about it.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::Reconnected => "The session goes on; use its new id and its new reconnect token from now on",
            Self::TokenExpired => {
                "The reconnect token has expired; start a new session with initialize, without a token"
            }
            Self::InvalidToken => {
                "The reconnect token is not one of this server's; send it exactly as it was handed out, or start a new session with initialize, without a token"
            }
            Self::InvalidTokenPurpose => {
                "The token was not made for reconnecting to this server; send the one from the Mcp-Reconnect-Token header of its last answer"
            }
            Self::SessionIdMismatch => {
                "The reconnect token is for another session; send it with the id of the session it was handed out for"
            }
            Self::SessionNotFound => {
                "The session of this reconnect token does not exist (any more); start a new session with initialize, without a token"
            }
            Self::TokenMismatch => {
                "The reconnect token was used already; send the newest one, or start a new session with initialize, without a token"
            }
            Self::RateLimited => "Too many attempts to reconnect; wait for as long as Retry-After says, then try again",
            Self::Unavailable => "The attempt to reconnect could not be finished; try again with the same token",
        }
    }
}

impl fmt::Display for ReconnectOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_has_one_name_wherever_it_is_written() {
        for outcome in ReconnectOutcome::ALL {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
            assert_eq!(outcome.to_string(), outcome.as_str());
        }
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        for outcome in ReconnectOutcome::ALL {
            let advice = outcome.advice();
            assert!(["use ", "send ", "start ", "try "].iter().any(|verb| advice.contains(verb)), "{outcome}");
        }
    }
}
