//! Where sessions live. [`Store`] is what the layer needs of a place to keep them; [`MemoryStore`] is its executable
//! specification for one process, `RedisStore` the one that replicas share.
//!
//! Every method is **one atomic operation**: seen from outside it happened as a whole or not at all, whatever else runs at
//! the same time on any replica. Time is the store's: callers send ages and spans, never clock readings. What a method
//! promises stands with it; `testing::contract` checks every promise on any store.

#[cfg(feature = "testing")]
pub mod contract;
mod error;
mod memory;
#[cfg(feature = "redis")]
mod redis;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::id::SessionKey;
use crate::session::{EndReason, NewSession, SessionRecord, Timestamp};

pub use error::{StoreError, StoreErrorKind};
pub use memory::MemoryStore;
#[cfg(feature = "redis")]
pub use redis::{RedisStore, RedisStoreBuilder};

/// All that the layer needs of a store. Implemented for everything that implements the three parts.
pub trait Store: SessionStore + StreamLog + Bus {}

impl<T: SessionStore + StreamLog + Bus> Store for T {}

/// How long sessions live. Expiry is judged against the store's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Without activity for this long a session becomes disconnected.
    pub idle_timeout: Duration,
    /// Not seen for this long a session ends.
    pub expires_after: Duration,
    /// Older than this a session ends, used or not.
    pub max_lifetime: Option<Duration>,
}

impl Lifetimes {
    /// How long a key may lie untouched before the store may collect it as garbage. Ending sessions is the sweep's duty;
    /// this is longer than any of them should last.
    #[must_use]
    pub fn key_ttl(&self) -> Duration {
        self.expires_after.saturating_add(Duration::from_secs(300))
    }
}

/// Session records and the data kept with them.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Opens a session, active and seen now. An existing key is never overwritten.
    async fn open(&self, session: &NewSession, lifetimes: &Lifetimes) -> Result<Opening, StoreError>;

    /// The session's record, or `None` if no such session lives. Sees every change acknowledged before the call.
    async fn find(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError>;

    /// The `initialize` message the session was opened with, or `None` if no such session lives.
    async fn handshake(&self, key: &SessionKey) -> Result<Option<Bytes>, StoreError>;

    /// Tells of activity, some time ago. For each session: an active one is seen at `now - age`, unless it was seen later
    /// already; a disconnected one stays disconnected; one that has ended stays ended, and so does one whose retention has passed
    /// though no sweep has noticed yet. Outcomes are in the batch's order.
    ///
    /// The batch need not be atomic as a whole; each session's touch is.
    async fn touch(&self, batch: &[Touch], lifetimes: &Lifetimes) -> Result<Touched, StoreError>;

    /// Makes a disconnected session active again, seen now. Of several callers at once exactly one gets
    /// [`Revival::Revived`]. A session whose retention has passed is not revived.
    async fn revive(&self, key: &SessionKey, lifetimes: &Lifetimes) -> Result<Revival, StoreError>;

    /// Ends a session: its record, handshake, data and streams are gone, and nothing brings them back. `true` for exactly
    /// one caller.
    async fn end(&self, key: &SessionKey, reason: EndReason) -> Result<bool, StoreError>;

    /// Notices what is due: active sessions idle for `idle_timeout` become disconnected, sessions unseen for
    /// `expires_after` or older than `max_lifetime` end. Handles about `limit` sessions of each kind; `more` says that
    /// some are left. Over all callers each transition is reported exactly once, and none happens early.
    async fn sweep(&self, lifetimes: &Lifetimes, limit: usize) -> Result<Swept, StoreError>;

    /// A value of the session's data, or `None` if it has none by this name or does not live.
    async fn data_get(&self, key: &SessionKey, name: &str) -> Result<Option<Bytes>, StoreError>;

    /// Keeps a value with the session, for as long as the session lives. Names and values together stay within `limit`
    /// bytes; a value that would not fit changes nothing.
    async fn data_put(&self, key: &SessionKey, name: &str, value: Bytes, limit: usize) -> Result<DataPut, StoreError>;

    /// Forgets a value; `true` if there was one.
    async fn data_remove(&self, key: &SessionKey, name: &str) -> Result<bool, StoreError>;

    /// How many sessions live.
    async fn census(&self) -> Result<Census, StoreError>;
}

/// One log per session that holds the messages of all its streams, in one order.
#[async_trait]
pub trait StreamLog: Send + Sync + 'static {
    /// Appends messages to a stream of the session. Positions rise strictly over the whole session and are never used
    /// twice. Refused if the session has ended or `generation` is no longer its own: nothing an old holder's stream
    /// produces is ever stored. Oldest messages of the session, of whichever stream, make room within `limits`.
    async fn append(
        &self,
        key: &SessionKey,
        generation: u32,
        stream: &StreamName,
        messages: &[Bytes],
        limits: &LogLimits,
    ) -> Result<Appended, StoreError>;

    /// The stream's messages after a position, oldest first, at most `max`. Sees every append acknowledged before the call.
    async fn read(&self, key: &SessionKey, stream: &StreamName, after: u64, max: usize)
    -> Result<LogSlice, StoreError>;
}

/// News of what changed, to every replica. It rings the bell; the store holds the letter: a message may be lost or arrive
/// twice, and nobody may depend on it for more than speed.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Listens. Every change acknowledged after this returns is told, unless [`BusSignal::Lost`] comes first; after that,
    /// nothing is known until [`BusSignal::Restored`]. The stream ends only when the store is dropped.
    async fn subscribe(&self) -> Result<BoxStream<'static, BusSignal>, StoreError>;
}

/// What came of [`SessionStore::open`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// The session lives.
    Opened {
        /// When it was opened.
        at: Timestamp,
    },
    /// A session with this key lives already; nothing changed.
    KeyTaken,
}

/// One session's activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The session.
    pub key: SessionKey,
    /// How long ago it was last active, by the caller's monotonic clock.
    pub age: Duration,
}

/// What came of [`SessionStore::touch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// The store's clock.
    pub now: Timestamp,
    /// One for each touch, in order.
    pub outcomes: Vec<TouchOutcome>,
}

/// What a touched session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TouchOutcome {
    /// Active, and now seen.
    Active,
    /// Disconnected, and still so.
    Disconnected,
    /// Ended, past its retention, or never opened.
    Gone,
}

/// What came of [`SessionStore::revive`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revival {
    /// This call made it active.
    Revived {
        /// How long it had been unseen.
        gap: Duration,
    },
    /// It was active already.
    AlreadyActive,
    /// It has ended, or its retention has passed.
    Gone,
}

/// What [`SessionStore::sweep`] noticed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Sessions this call made disconnected.
    pub disconnected: Vec<SessionKey>,
    /// Sessions this call ended.
    pub ended: Vec<(SessionKey, EndReason)>,
    /// More may be due: sweep again.
    pub more: bool,
}

/// What came of [`SessionStore::data_put`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataPut {
    /// Kept.
    Stored,
    /// The session's data would grow past the limit; nothing changed.
    TooLarge,
    /// The session has ended.
    Gone,
}

/// How many sessions live, by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// In use.
    pub active: u64,
    /// Idle for too long.
    pub disconnected: u64,
}

/// The name of a stream within its session: up to 64 visible ASCII characters, no space.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamName(String);

impl StreamName {
    /// Reads a name; `None` if it is empty, too long or has other characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How much of its streams a session's log keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// Messages, over all streams of the session.
    pub messages: usize,
    /// Bytes of messages, over all streams of the session. One message larger than this is still kept, alone.
    pub bytes: usize,
    /// How long the log may lie untouched.
    pub ttl: Duration,
}

/// What came of [`StreamLog::append`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// Stored; the last message has this position.
    Stored {
        /// Position of the last message.
        last: u64,
    },
    /// The session's secret was renewed; its old holder's streams are over.
    Superseded,
    /// The session has ended.
    Gone,
}

/// A part of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogSlice {
    /// Messages with their positions, in order.
    pub messages: Vec<(u64, Bytes)>,
    /// Messages of this stream after the asked position were dropped, to make room or because the log lay untouched: there
    /// is a gap before the first one. A store need not remember for ever what each stream lost: in doubt, for a stream all
    /// of whose messages are long gone, it says gap; only from position 0 it then cannot tell that stream from a new one.
    pub gap: bool,
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
    /// [`SessionStore::open`].
    Opened(SessionKey),
    /// [`SessionStore::sweep`] found the session idle.
    Disconnected(SessionKey),
    /// [`SessionStore::revive`].
    Revived(SessionKey),
    /// [`SessionStore::end`], or [`SessionStore::sweep`] at the end of a lifetime.
    Ended(SessionKey, EndReason),
    /// [`StreamLog::append`].
    Appended(SessionKey, StreamName),
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
            | Self::Appended(key, _) => key,
        }
    }
}
