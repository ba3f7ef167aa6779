//! What can go wrong, by kind. No text holds a session id or a token.

use std::fmt;

use reqwest::StatusCode;

/// Longest text of a server's that is shown.
const LONGEST: usize = 160;

/// Why something failed.
#[derive(Clone, Debug)]
pub enum Failure {
    /// Nobody listens there, or not for us.
    Connect(String),
    /// No answer in time.
    Timeout,
    /// The connection broke while the answer was on its way.
    Broken(String),
    /// A status that is no success, and what the body says.
    Status(StatusCode, String),
    /// The answer is none of MCP's.
    NotMcp(String),
    /// A JSON-RPC error.
    Rpc(i64, String),
    /// The tool says that it failed.
    Tool(String),
    /// The answer belongs to another call.
    Crossed,
    /// The answer is not what was asked for, and no other call's either.
    Wrong(String),
    /// What was asked for did not happen.
    NotSeen(String),
}

impl Failure {
    /// Its name in reports.
    pub fn kind(&self) -> String {
        match self {
            Self::Connect(_) => "no connection".to_owned(),
            Self::Timeout => "timeout".to_owned(),
            Self::Broken(_) => "connection broken".to_owned(),
            Self::Status(StatusCode::NOT_FOUND, _) => "404 session lost".to_owned(),
            Self::Status(StatusCode::TOO_MANY_REQUESTS, _) => "429 rate limited".to_owned(),
            Self::Status(StatusCode::SERVICE_UNAVAILABLE, _) => "503 unavailable".to_owned(),
            Self::Status(status, _) => format!("HTTP {}", status.as_u16()),
            Self::NotMcp(_) => "not MCP".to_owned(),
            Self::Rpc(code, _) => format!("JSON-RPC {code}"),
            Self::Tool(_) => "tool error".to_owned(),
            Self::Crossed => "crossed answer".to_owned(),
            Self::Wrong(_) => "wrong answer".to_owned(),
            Self::NotSeen(_) => "not seen".to_owned(),
        }
    }

    /// What to do about it, where there is something to do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Connect(_) => Some("is the server started, and is this its address?"),
            Self::Status(StatusCode::TOO_MANY_REQUESTS, _) => {
                Some("the server limits how often one address may do this: start it with --rate-limits off")
            }
            Self::Status(StatusCode::UNAUTHORIZED, _) => {
                Some("it asks who is there, which this program cannot say: put a proxy in between that does")
            }
            Self::Status(StatusCode::FORBIDDEN, text) if !text.contains("token") => {
                Some("it may not answer for this host (--allow-host), or not let this machine in")
            }
            Self::Status(StatusCode::SERVICE_UNAVAILABLE, _) => Some("its session store is away, or it is full"),
            Self::Status(StatusCode::NOT_FOUND, _) => {
                Some("the session was forgotten, or this is not the endpoint's path; replicas need a common store")
            }
            Self::Crossed => Some("an answer reached a client that did not ask for it"),
            _ => None,
        }
    }

    /// The session it was about is gone.
    pub fn is_session_lost(&self) -> bool {
        self.is(StatusCode::NOT_FOUND)
    }

    /// Who asks is not let in.
    pub fn is_refusal(&self) -> bool {
        self.is(StatusCode::UNAUTHORIZED) || self.is(StatusCode::FORBIDDEN)
    }

    /// Whether the server answered with this status.
    pub fn is(&self, wanted: StatusCode) -> bool {
        matches!(self, Self::Status(status, _) if *status == wanted)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Connect(why) | Self::Broken(why) | Self::NotMcp(why) | Self::Wrong(why) | Self::NotSeen(why) => why,
            Self::Status(_, text) | Self::Rpc(_, text) | Self::Tool(text) => text,
            Self::Timeout | Self::Crossed => "",
        };
        f.write_str(&self.kind())?;
        if !text.is_empty() {
            write!(f, ": {}", shortened(text))?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let text = std::iter::successors(std::error::Error::source(&error), |&error| error.source())
            .last()
            .map_or_else(|| error.to_string(), ToString::to_string);
        match () {
            () if error.is_timeout() => Self::Timeout,
            () if error.is_connect() => Self::Connect(text),
            () => Self::Broken(text),
        }
    }
}

/// A server's text on one line, and not too much of it.
fn shortened(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    if text.chars().count() > LONGEST { line + "…" } else { line }
}
