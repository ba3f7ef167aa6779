//! The Model Context Protocol as it looks on the wire: header names, revisions, JSON-RPC envelopes, SSE messages.
//!
//! Plain data and pure functions; nothing here knows of sessions, stores or services.

pub(crate) mod bom;
pub(crate) mod headers;
pub(crate) mod introduction;
mod map_or;
pub(crate) mod message;
mod method;
pub(crate) mod names;
mod request_id;
pub(crate) mod response;
pub(crate) mod rewrite;
pub(crate) mod sse;
pub(crate) mod version;
