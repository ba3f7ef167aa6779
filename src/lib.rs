#![doc = include_str!("guide.md")]
#![warn(missing_docs, unreachable_pub)]
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]
// What only reconnecting uses is not worth a condition each.
#![cfg_attr(not(feature = "reconnect"), allow(dead_code))]

mod address;
mod audit;
pub mod body;
mod causes;
mod classify;
mod engine;
mod event;
mod exchange;
mod future;
mod id;
mod inner;
mod layer;
mod lifetimes;
mod limits;
mod local_limiter;
#[cfg(feature = "monitor")]
pub mod monitor;
mod origin;
mod outcome;
mod protocol;
mod rate;
#[cfg(feature = "reconnect")]
mod reconnect;
mod refusal;
mod rejection;
mod seal;
mod service;
mod session;
#[cfg(all(feature = "signal", any(unix, windows)))]
mod shutdown_signal;
pub mod store;
mod stream;
mod telemetry;

pub use audit::{ReconnectAttempt, ReconnectDoor};
pub use engine::config::{Freshness, InnerSessions, PeerAddr, Resumable};
pub use engine::deployment::StartError;
pub use engine::handle::{McpSession, Replayed, SessionDataError};
pub use event::{Change, Comeback, SessionEvent, SessionView};
pub use future::ResponseFuture;
pub use id::{NonceDigest, SecretDigest, SessionId, SessionKey};
pub use inner::InnerService;
pub use layer::{ConfigError, SessionLayer, SessionLayerBuilder};
pub use lifetimes::OnReturn;
pub use limits::RateLimits;
pub use outcome::ReconnectOutcome;
pub use protocol::version::ProtocolVersion;
#[cfg(feature = "reconnect")]
pub use reconnect::{ReconnectKeys, ReconnectKeysError, ReconnectToken};
pub use refusal::Refusal;
pub use rejection::Rejection;
pub use service::SessionService;
pub use session::{
    ClientInfo, EndReason, NewSession, Principal, SessionOrigin, SessionRecord, SessionStatus, Timestamp,
};
#[cfg(all(feature = "signal", any(unix, windows)))]
pub use shutdown_signal::{ShutdownSignal, shutdown_signal};

/// The code of the README, compiled.
#[cfg(all(doctest, feature = "redis", feature = "signal"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// For authors of stores and of tests.
#[cfg(feature = "testing")]
pub mod testing {
    pub use crate::store::contract;
}
