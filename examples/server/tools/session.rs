//! How an rmcp handler finds its session: rmcp hands on the HTTP request's parts, and the layer has put an
//! [`McpSession`] into their extensions.
#![expect(deprecated, reason = "2026-07-28 deprecates log levels; sessions of 2025 have them")]

use rmcp::RoleServer;
use rmcp::model::LoggingLevel;
use rmcp::schemars::{self, JsonSchema};
use rmcp::service::RequestContext;
use serde::Serialize;
use tower_mcp_sessions::{McpSession, SessionDataError};

use super::memory::Memory;
use super::resources::uri_of;

/// The session this request belongs to; a request of the modern era has none.
pub fn session(context: &RequestContext<RoleServer>) -> Option<&McpSession> {
    let parts = context.extensions.get::<http::request::Parts>()?;
    parts.extensions.get()
}

/// Protocol 2026-07-28 and later have no sessions.
const NO_SESSION: &str = "this call has no session, so nothing is kept from one call to the next";

/// The session, or what a tool that cannot do without tells the model.
pub fn required_session(context: &RequestContext<RoleServer>) -> Result<&McpSession, String> {
    session(context).ok_or_else(|| NO_SESSION.to_owned())
}

/// What the model is told when the session's data could not be read or written.
pub fn data_error(error: &SessionDataError) -> String {
    format!("the session's data is out of reach: {error}")
}

/// What `whoami` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WhoAmI {
    /// The replica that served the call.
    replica: String,
    /// The session's public key, where there is a session.
    session: Option<String>,
    /// The client, as it introduced itself.
    client: Option<Client>,
    /// Whom the server took the caller for, where it asks.
    principal: Option<String>,
    /// The log level set by the client, as far as this replica's handler knows.
    log_level: Option<LoggingLevel>,
    /// The resources the client has subscribed to, as far as this replica's handler knows.
    subscriptions: Vec<String>,
}

/// A client's name and version.
#[derive(Debug, Serialize, JsonSchema)]
struct Client {
    name: String,
    version: String,
}

impl WhoAmI {
    /// What `replica` sees of this call and remembers of its session.
    pub fn of(replica: &str, memory: Option<&Memory>, context: &RequestContext<RoleServer>) -> Self {
        let subscribed = memory.map(Memory::subscriptions).unwrap_or_default();
        let session = session(context);
        Self {
            replica: replica.to_owned(),
            session: session.map(|session| session.key().to_string()),
            client: session.map(introduced).or_else(|| claimed(context)),
            principal: session.and_then(|session| session.principal().map(|principal| principal.as_str().to_owned())),
            log_level: memory.and_then(Memory::log_level),
            subscriptions: subscribed.iter().map(|note| uri_of(note)).collect(),
        }
    }
}

/// The client of the session's handshake.
fn introduced(session: &McpSession) -> Client {
    let client = session.client();
    Client { name: client.name.clone(), version: client.version.clone() }
}

/// The client that a modern request names in its `_meta`. Not `context.client_info()`: without sessions rmcp
/// makes one up for a legacy request.
fn claimed(context: &RequestContext<RoleServer>) -> Option<Client> {
    let client = context.meta.client_info()?;
    Some(Client { name: client.name, version: client.version })
}
