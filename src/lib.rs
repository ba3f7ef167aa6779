//! Sessions of MCP Streamable HTTP servers that any replica can serve.

mod body;
mod id;
mod origin;
mod protocol;
mod rejection;
mod session;
pub mod store;
