//! [`Bus`]: news of changes, to every replica.

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::{ReplicaId, StoreError, StreamName};
use crate::id::SessionKey;
use crate::session::EndReason;

/// News of what changed, to every replica. It rings the bell; the store holds the letter: a message may be lost or arrive
/// twice, and nobody may depend on it for more than speed.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Listens. Every change acknowledged after this returns is told, unless [`BusSignal::Lost`] comes first; after that,
    /// nothing is known until [`BusSignal::Restored`]. The stream ends only when the store is dropped.
    async fn subscribe(&self) -> Result<BoxStream<'static, BusSignal>, StoreError>;
}

/// What a bus listener hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusSignal {
    /// Something changed.
    Message(BusMessage),
    /// The connection is gone; messages are being missed.
    Lost,
    /// The connection is back. What was missed has to be looked up.
    Restored,
}

/// A change, told by the operation that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusMessage {
    /// [`SessionStore::open`](super::SessionStore::open).
    Opened(SessionKey),
    /// [`SessionStore::sweep`](super::SessionStore::sweep) found the session idle.
    Disconnected(SessionKey),
    /// [`SessionStore::revive`](super::SessionStore::revive).
    Revived(SessionKey),
    /// [`SessionStore::reconnect`](super::SessionStore::reconnect): holders of earlier generations, and the secret before, are out.
    Reconnected(SessionKey, u32),
    /// [`SessionStore::adopt`](super::SessionStore::adopt): the anonymous holder is out; the secret stays.
    Adopted(SessionKey, u32),
    /// [`SessionStore::end`](super::SessionStore::end), or [`SessionStore::sweep`](super::SessionStore::sweep) at the end of a lifetime.
    Ended(SessionKey, EndReason),
    /// [`StreamLog::append`](super::StreamLog::append) or [`StreamLog::finish`](super::StreamLog::finish).
    Appended(SessionKey, StreamName),
    /// [`StreamLog::listen`](super::StreamLog::listen): the listening stream has a new listener, at this replica.
    Listening(SessionKey, ReplicaId),
    /// [`Inbox::post`](super::Inbox::post) or [`Inbox::shape`](super::Inbox::shape): the session's inbox has another letter.
    Mail(SessionKey),
}

impl BusMessage {
    /// The session it is about.
    #[must_use]
    pub fn key(&self) -> &SessionKey {
        match self {
            Self::Opened(key)
            | Self::Disconnected(key)
            | Self::Revived(key)
            | Self::Ended(key, _)
            | Self::Reconnected(key, _)
            | Self::Adopted(key, _)
            | Self::Listening(key, _)
            | Self::Mail(key)
            | Self::Appended(key, _) => key,
        }
    }
}
