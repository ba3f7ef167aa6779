//! What an operator can know of an attempt to reconnect: [`ReconnectAttempt`].

use std::net::IpAddr;
use std::sync::Arc;

use crate::id::SessionKey;
use crate::outcome::ReconnectOutcome;

/// One attempt to reconnect a session, whatever came of it. Tells no secret.
///
/// Every attempt is told exactly once: to `SessionLayerBuilder::on_reconnect` and as a `tracing` event with the target
/// `tower_mcp_sessions::audit`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReconnectAttempt {
    /// What came of it.
    pub outcome: ReconnectOutcome,
    /// Where it was made.
    pub door: ReconnectDoor,
    /// The session that the token is for; `None` if there was no telling.
    pub session: Option<SessionKey>,
    /// The token's own name (`jti`), which opens nothing; `None` if it was not genuine.
    pub token: Option<Arc<str>>,
    /// The client's address, if the layer can know it.
    pub address: Option<IpAddr>,
    /// Who attempted it, as `SessionLayerBuilder::principal_label` shows it.
    pub principal: Option<Arc<str>>,
    /// The replica that judged it.
    pub replica: Arc<str>,
}

/// Where a reconnect can be attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReconnectDoor {
    /// `initialize` with a token.
    Initialize,
    /// `POST /api/mcp/sessions/{key}/reconnect`.
    Api,
    /// The MCP tool `reconnect_session`.
    Tool,
}

impl ReconnectDoor {
    /// The name used in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initialize => "initialize",
            Self::Api => "api",
            Self::Tool => "tool",
        }
    }
}
