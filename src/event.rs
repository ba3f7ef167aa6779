//! What happened to a session, as the store keeps it and the feed tells it: [`SessionEvent`].

use std::sync::Arc;
use std::time::Duration;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::audit::ReconnectDoor;
use crate::id::SessionKey;
use crate::outcome::ReconnectOutcome;
use crate::session::{EndReason, SessionOrigin, SessionRecord, SessionStatus, Timestamp, millis};

/// A session as everybody may see it: nothing here opens anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// The session's public name.
    pub key: SessionKey,
    /// In use, or idle for too long; of a session that has ended, what it was before.
    pub status: SessionStatus,
    /// How often it was reconnected with a token.
    pub reconnect_count: u32,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last active, as far as the store had been told.
    pub last_seen: Timestamp,
    /// Its client, its principal, where it was opened or came back.
    pub origin: SessionOrigin,
}

impl SessionView {
    /// Whether its key, client or replica holds a text, whatever its case.
    #[must_use]
    pub fn mentions(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let client = &self.origin.client;
        [self.key.as_str(), &client.name, &client.version, &self.origin.replica]
            .iter()
            .any(|field| field.to_lowercase().contains(&text))
    }

    /// What may be seen of a record.
    #[must_use]
    pub fn of(record: &SessionRecord, last_seen: Timestamp) -> Self {
        Self {
            key: record.key,
            status: record.status,
            reconnect_count: record.reconnect_count(),
            created_at: record.created_at,
            last_seen,
            origin: record.origin.clone(),
        }
    }
}

/// One thing that happened, once over all replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEvent {
    /// Its position in the log of its part of the store: one more than the one before.
    pub offset: u64,
    /// When, by the store's clock.
    pub at: Timestamp,
    /// What.
    pub change: Change,
    /// The session as it was after that; `None` if it is about no session that is known.
    pub session: Option<SessionView>,
}

/// What can happen to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was opened.
    Created,
    /// It was idle for too long.
    Disconnected,
    /// Its client came back.
    Reconnected {
        /// With its id, or with a token.
        how: Comeback,
        /// How long it had been unseen.
        gap: Duration,
        /// Where it was before.
        from_replica: Arc<str>,
    },
    /// It was anonymous, and is its first principal's from now on.
    Adopted,
    /// It ended.
    Terminated(EndReason),
    /// Somebody tried to reconnect it and was refused.
    ReconnectRefused {
        /// Why.
        outcome: ReconnectOutcome,
        /// Where it was tried.
        door: ReconnectDoor,
    },
}

/// How a client came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Comeback {
    /// With the id it had.
    Return,
    /// With a reconnect token.
    Token,
}

impl Change {
    /// The event's type on the wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Created => "session_created",
            Self::Disconnected => "session_disconnected",
            Self::Reconnected { .. } => "session_reconnected",
            Self::Adopted => "session_updated",
            Self::Terminated(_) => "session_terminated",
            Self::ReconnectRefused { .. } => "reconnect_refused",
        }
    }
}

impl Serialize for SessionEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("n", &self.offset)?;
        map.serialize_entry("type", self.change.name())?;
        map.serialize_entry("at", &self.at)?;
        map.serialize_entry("session", &self.session)?;
        match &self.change {
            Change::Created => {}
            Change::Disconnected => map.serialize_entry("reason", "idle_timeout")?,
            Change::Reconnected { how, gap, from_replica } => {
                map.serialize_entry("how", how)?;
                map.serialize_entry("gap_ms", &millis(*gap))?;
                map.serialize_entry("from_replica", from_replica)?;
            }
            Change::Adopted => map.serialize_entry("how", "adopted")?,
            Change::Terminated(reason) => map.serialize_entry("reason", reason)?,
            Change::ReconnectRefused { outcome, door } => {
                map.serialize_entry("outcome", outcome)?;
                map.serialize_entry("door", door.as_str())?;
            }
        }
        map.end()
    }
}

impl Serialize for SessionView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(10))?;
        map.serialize_entry("session_id", self.key.as_str())?;
        map.serialize_entry("status", &self.status)?;
        map.serialize_entry("client_type", &self.origin.client.name)?;
        map.serialize_entry("client_version", &self.origin.client.version)?;
        map.serialize_entry("protocol_version", self.origin.protocol_version.as_str())?;
        map.serialize_entry("era", "legacy")?;
        map.serialize_entry("replica", &self.origin.replica)?;
        map.serialize_entry("created_at", &self.created_at)?;
        map.serialize_entry("last_seen_at", &self.last_seen)?;
        map.serialize_entry("reconnect_count", &self.reconnect_count)?;
        map.end()
    }
}
