//! What a session *is*, as plain data: its record, its status, who opened it and why it ended.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};

use crate::id::{SecretDigest, SessionKey};
use crate::lifetimes::Lifetimes;
use crate::protocol::version::ProtocolVersion;

/// A moment by the store's clock: milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This moment less `span`.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// This moment and `span`.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// A span in whole milliseconds, the unit every store counts in.
#[must_use]
pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Whether a live session is in use. A session that has ended has no record at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    /// Used within the idle timeout.
    Active,
    /// Idle for longer; comes back when its client does.
    Disconnected,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The client sent DELETE.
    ClosedByClient,
    /// An operator ended it.
    Terminated,
    /// Not seen for the whole retention (`expires_after`).
    Expired,
    /// Older than `max_lifetime`.
    MaxLifetime,
    /// Its client left before it learned the id, or never confirmed its handshake.
    Abandoned,
    /// The store no longer had its `initialize` message, or not in one piece: no other replica could have served it.
    HandshakeLost,
}

impl EndReason {
    /// Every reason, in the order of their codes.
    pub const ALL: [Self; 6] = [
        Self::ClosedByClient,
        Self::Terminated,
        Self::Expired,
        Self::MaxLifetime,
        Self::Abandoned,
        Self::HandshakeLost,
    ];

    /// The name used in events, on the bus and in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClosedByClient => "closed_by_client",
            Self::Terminated => "terminated",
            Self::Expired => "expired",
            Self::MaxLifetime => "max_lifetime",
            Self::Abandoned => "abandoned",
            Self::HandshakeLost => "handshake_lost",
        }
    }

    /// Reads [`as_str`](Self::as_str) back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who a request acts for: the subject your authentication found, such as a user id. Not a credential.
///
/// A session belongs to the principal that opened it; to everybody else it does not exist.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Principal(Arc<str>);

impl Principal {
    /// The subject.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<Arc<str>>> From<T> for Principal {
    fn from(subject: T) -> Self {
        Self(subject.into())
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `clientInfo` of the client's `initialize`, or of a modern request's `_meta`: what it calls itself. Anybody can claim anything here.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientInfo {
    /// The client's name; empty if it gave none.
    #[serde(default, deserialize_with = "text_or_empty", skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The client's version; empty if it gave none.
    #[serde(default, deserialize_with = "text_or_empty", skip_serializing_if = "String::is_empty")]
    pub version: String,
}

impl ClientInfo {
    /// Longest name and version kept, in characters.
    const MAX_CHARS: usize = 128;

    /// Reads it as a client wrote it. Missing or malformed parts read as empty.
    pub(crate) fn from_json(text: &str) -> Self {
        serde_json::from_str(text).map_or_else(|_| Self::default(), Self::bounded)
    }

    /// Cut to what is worth keeping, control characters (line breaks, terminal escapes) replaced.
    pub(crate) fn bounded(self) -> Self {
        let tame = |text: String| {
            let inert = |c: char| if c.is_control() { '\u{fffd}' } else { c };
            text.chars().take(Self::MAX_CHARS).map(inert).collect()
        };
        Self { name: tame(self.name), version: tame(self.version) }
    }
}

fn text_or_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    serde_json::Value::deserialize(deserializer).map(|value| value.as_str().unwrap_or_default().to_owned())
}

/// What the store keeps of a live session: all that is needed to judge a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// The public name.
    pub key: SessionKey,
    /// SHA-256 of the secret half of the id.
    pub digest: SecretDigest,
    /// How often the session changed hands: was reconnected, or adopted.
    pub generation: u32,
    /// In use, or idle for too long.
    pub status: SessionStatus,
    /// When the session was opened, by the store's clock.
    pub created_at: Timestamp,
    /// How long it lives.
    pub lifetimes: Lifetimes,
    /// Where it comes from, and whose it is.
    pub origin: SessionOrigin,
}

impl SessionRecord {
    /// How often the secret was renewed.
    #[must_use]
    pub fn reconnect_count(&self) -> u32 {
        self.origin.reconnects_until(self.generation)
    }
}

/// The part of a session's record that changes with its holder alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOrigin {
    /// The revision the inner service settled on in the handshake.
    #[serde(rename = "v")]
    pub protocol_version: ProtocolVersion,
    /// What the client calls itself.
    #[serde(rename = "c", default)]
    pub client: ClientInfo,
    /// Whose session it is; `None` for an anonymous one.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Principal>,
    /// The generation that began when the principal adopted the session; `None` if it was the principal's from the first.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<u32>,
    /// The replica that opened it.
    #[serde(rename = "r")]
    pub replica: Arc<str>,
    /// Whether the inner service minted a session id of its own, so that a replica needs a handshake before it can serve.
    #[serde(rename = "i")]
    pub inner_has_sessions: bool,
}

impl SessionOrigin {
    /// How many of the generations up to this one began with a reconnect. The others are the first, and an adoption.
    pub(crate) fn reconnects_until(&self, generation: u32) -> u32 {
        generation.saturating_sub(u32::from(self.adopted.is_some()))
    }
}

/// A session about to be opened.
#[derive(Clone)]
pub struct NewSession {
    /// The public name; taken names are refused.
    pub key: SessionKey,
    /// SHA-256 of the secret half of the id.
    pub digest: SecretDigest,
    /// How long it is to live.
    pub lifetimes: Lifetimes,
    /// What will not change.
    pub origin: SessionOrigin,
    /// The client's `initialize` message as it came, to be replayed to other replicas' inner services.
    pub handshake: Bytes,
    /// What the layer knows of the session that an inner service has for it which all replicas share. Opaque to the store, a
    /// few KiB at most.
    pub inner: Option<Bytes>,
}

/// Of an inner session the length alone: it may be a secret.
impl fmt::Debug for NewSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, digest, lifetimes, origin, handshake, inner } = self;
        f.debug_struct("NewSession")
            .field("key", key)
            .field("digest", digest)
            .field("lifetimes", lifetimes)
            .field("origin", origin)
            .field("handshake", handshake)
            .field("inner_bytes", &inner.as_ref().map(Bytes::len))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_client_info_is_one_bounded_line() {
        let hostile = ClientInfo { name: format!("\u{1b}[2Jevil\r\n{}", "x".repeat(10_000)), version: "1\0".into() };
        let tame = hostile.bounded();
        assert!(tame.name.chars().count() <= ClientInfo::MAX_CHARS);
        assert!(!tame.name.contains(char::is_control) && !tame.version.contains(char::is_control));
    }

    #[test]
    fn reasons_survive_their_names() {
        for reason in EndReason::ALL {
            assert_eq!(EndReason::parse(reason.as_str()), Some(reason));
        }
    }
}
