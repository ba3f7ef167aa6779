//! Sessions put into a store without a client.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tower_mcp_sessions::store::{Lifetimes, Opening, SessionStore};
use tower_mcp_sessions::{ClientInfo, NewSession, OnReturn, ProtocolVersion, SessionId, SessionKey, SessionOrigin};

pub const LIFETIMES: Lifetimes = Lifetimes {
    idle_timeout: Duration::from_secs(300),
    expires_after: Duration::from_secs(24 * 3600),
    max_lifetime: None,
    handshake_timeout: Duration::from_secs(24 * 3600),
    on_return: OnReturn::Revive,
};

/// Opens a session as a client of some name would have.
pub async fn open(store: &impl SessionStore, client: &str) -> SessionKey {
    let id = SessionId::generate().expect("randomness");
    let origin = SessionOrigin {
        protocol_version: ProtocolVersion::V2025_11_25,
        client: ClientInfo { name: client.into(), version: "1.0".into() },
        principal: None,
        replica: Arc::from("bench"),
        adopted: None,
        inner_has_sessions: false,
    };
    let (key, digest, handshake) = (id.key(), id.digest(), Bytes::from_static(b"{}"));
    let session = NewSession { key, digest, lifetimes: LIFETIMES, origin, handshake, inner: None };
    let opening = store.open(&session, None).await.expect("the store takes it");
    assert!(matches!(opening, Opening::Opened { .. }));
    session.key
}
