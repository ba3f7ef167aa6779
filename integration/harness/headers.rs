//! The names of headers, as a client or a server writes them.

use http::HeaderName;

pub(crate) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
pub(crate) const RECONNECT_TOKEN: HeaderName = HeaderName::from_static("mcp-reconnect-token");
pub(crate) const RECONNECT_NONCE: HeaderName = HeaderName::from_static("mcp-reconnect-nonce");
pub(crate) const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
