//! Sessions of MCP Streamable HTTP servers that any replica can serve.

mod body;
mod id;
mod origin;
mod protocol;
mod rejection;
mod session;
pub mod store;

pub use id::{SecretDigest, SessionId, SessionKey};
pub use protocol::version::ProtocolVersion;
pub use session::{
    ClientInfo, EndReason, NewSession, Principal, SessionOrigin, SessionRecord, SessionStatus, Timestamp,
};

/// For authors of stores and of tests.
#[cfg(feature = "testing")]
pub mod testing {
    pub use crate::store::contract;
}
