//! What is said over a WebSocket beside updates, protocol `mcp-sessions.v1`.

use serde::{Deserialize, Serialize};

use super::filter::Filter;

/// Client to server. Unknown fields are ignored, and so are unknown types.
#[derive(Debug, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub(super) enum Asked {
    /// The first frame.
    Hello {
        cursor: Option<String>,
        token: Option<String>,
        #[serde(default)]
        filter: Filter,
    },
    /// The viewer is there.
    Pong,
    /// It wants to see something else.
    Filter {
        #[serde(default)]
        filter: Filter,
    },
    #[serde(other)]
    Unknown,
}

/// Server to client, beside updates.
#[derive(Debug, Serialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub(super) enum Said<'a> {
    Welcome {
        v: u8,
        replica: &'a str,
        /// How often the viewer is asked whether it is there.
        ping_ms: u64,
        /// It can come back with its last cursor, to any replica.
        resume: bool,
    },
    Ping,
    Error {
        message: &'a str,
    },
    Bye {
        code: u16,
        reason: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_ms: Option<u64>,
    },
}

/// Why the server closes a socket. Codes below 4500 mean: come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bye {
    /// The replica leaves.
    Leaving,
    /// The viewer took longer than its queue is.
    Slow,
    /// The viewer did not answer a ping.
    Silent,
    /// The viewer did not begin with `hello`.
    NoHello,
    /// The session store cannot be read.
    StoreAway,
    /// A frame that is no object of the protocol.
    BadFrame,
    /// Access was not given.
    Denied,
    /// Access was withdrawn.
    Expired,
}

impl Bye {
    pub(super) const fn code(self) -> u16 {
        match self {
            Self::Leaving => 4000,
            Self::Slow => 4001,
            Self::Silent => 4002,
            Self::NoHello => 4003,
            Self::StoreAway => 4004,
            Self::BadFrame => 4500,
            Self::Denied => 4501,
            Self::Expired => 4502,
        }
    }

    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Leaving => "this replica leaves; come back to another",
            Self::Slow => "too slow: the queue is full; come back with the last cursor",
            Self::Silent => "no pong in time",
            Self::NoHello => "send hello first",
            Self::StoreAway => "the session store cannot be reached; try again",
            Self::BadFrame => "send JSON objects with a type in t, as text",
            Self::Denied => "access denied: send a valid token in hello",
            Self::Expired => "access was withdrawn; log in again",
        }
    }

    pub(super) const fn retry_ms(self) -> Option<u64> {
        match self {
            Self::Leaving => Some(500),
            Self::Slow | Self::Silent | Self::NoHello | Self::StoreAway => Some(1000),
            Self::BadFrame | Self::Denied | Self::Expired => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_whatever_else_they_hold() {
        let hello = r#"{"t":"hello","cursor":"c","filter":{"client":"x","new":1},"later":true}"#;
        assert!(matches!(serde_json::from_str(hello), Ok(Asked::Hello { cursor: Some(_), token: None, .. })));
        assert!(matches!(serde_json::from_str(r#"{"t":"hello"}"#), Ok(Asked::Hello { cursor: None, .. })));
        assert!(matches!(serde_json::from_str(r#"{"t":"pong","at":1}"#), Ok(Asked::Pong)));
        assert!(matches!(serde_json::from_str(r#"{"t":"later"}"#), Ok(Asked::Unknown)));
        assert!(serde_json::from_str::<Asked>("[]").is_err());
    }

    #[test]
    fn codes_say_whether_to_come_back_and_are_documented() {
        for bye in [
            Bye::Leaving,
            Bye::Slow,
            Bye::Silent,
            Bye::NoHello,
            Bye::StoreAway,
            Bye::BadFrame,
            Bye::Denied,
            Bye::Expired,
        ] {
            assert_eq!((4000..4500).contains(&bye.code()), bye.retry_ms().is_some(), "{bye:?}");
            let row = format!("\n| {} | ", bye.code());
            assert!(include_str!("protocol.md").contains(&row), "{bye:?}");
        }
    }
}
