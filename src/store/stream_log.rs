//! [`StreamLog`]: what the streams of a session carried, so that any replica can go on where a client was cut off.

use std::borrow::Cow;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{ReplicaId, StoreError};
use crate::id::SessionKey;

/// One log per session that holds the messages of all its streams, in one order; and who listens to the session.
#[async_trait]
pub trait StreamLog: Send + Sync + 'static {
    /// Makes a stream known before it has a message. `about` (at most 512 bytes) is what a reader has to know if the stream
    /// is never finished. Refused as [`append`](Self::append) is. A stream begun again stays as it is.
    async fn begin(
        &self,
        key: &SessionKey,
        generation: u32,
        stream: &StreamName,
        about: &[u8],
    ) -> Result<Appended, StoreError>;

    /// Appends messages to a stream of the session. Positions rise strictly over the whole session and are never used
    /// twice. Refused if the session has ended or `generation` is no longer its own: nothing an old holder's stream
    /// produces is ever stored; and if the stream is finished. Oldest messages of the session, of whichever stream, make room
    /// within `limits`.
    async fn append(
        &self,
        key: &SessionKey,
        generation: u32,
        stream: &StreamName,
        messages: &[Bytes],
        limits: &LogLimits,
    ) -> Result<Appended, StoreError>;

    /// Appends a stream's last messages and finishes it. Of several callers at once one is told
    /// [`Stored`](Appended::Stored), the others [`Finished`](Appended::Finished).
    async fn finish(
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

    /// Gives the session's listening stream, [`StreamName::LISTEN`], to a new listener at a replica; the one before has lost it. A new
    /// listener goes on after what was heard so far. With a cursor it goes on from there, if that is the last listener's: an
    /// older one is refused as long as a newer listener is there, so that two cannot oust each other for ever.
    async fn listen(
        &self,
        key: &SessionKey,
        generation: u32,
        replica: &ReplicaId,
        cursor: Option<ListenCursor>,
    ) -> Result<Listening, StoreError>;

    /// The listening stream's messages after a position, for its current listener; up to that position they have been heard.
    async fn hear(&self, key: &SessionKey, listener: u64, after: u64, max: usize) -> Result<Heard, StoreError>;

    /// A listener leaves, having heard what stands up to a position. Does nothing if it is not the current one.
    async fn leave(&self, key: &SessionKey, listener: u64, after: u64) -> Result<(), StoreError>;
}

/// The name of a stream within its session: up to 64 visible ASCII characters, no space.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamName(Cow<'static, str>);

impl StreamName {
    /// The stream for what the server has to say by itself. Always known, never finished.
    pub const LISTEN: Self = Self(Cow::Borrowed("listen"));

    /// Reads a name; `None` if it is empty, too long or has other characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned().into()))
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
    /// The stream has had its last message; nothing changed.
    Finished,
    /// The session's secret was renewed; its old holder's streams are over.
    Superseded,
    /// The session has ended.
    Gone,
}

/// What is known of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StreamState {
    /// Never begun, or finished so long ago that it is forgotten.
    #[default]
    Unknown,
    /// Begun and not finished; what was said about it then.
    Open(Bytes),
    /// It has had its last message.
    Finished,
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
    /// Whether more is to come.
    pub state: StreamState,
}

/// Where a listener was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenCursor {
    /// Which of the session's listeners it was.
    pub listener: u64,
    /// The last message it heard; 0 for none.
    pub position: u64,
}

/// What came of [`StreamLog::listen`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    /// The listening stream is the caller's.
    Granted {
        /// Its number; later listeners have higher ones. The first is 1.
        listener: u64,
        /// The position after which to go on.
        after: u64,
    },
    /// A newer listener is there; nothing changed.
    Outdated,
    /// There was never such a cursor; nothing changed.
    Unknown,
    /// The session's secret was renewed; nothing changed.
    Superseded,
    /// The session has ended.
    Gone,
}

/// What a listener hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// These messages, of which its stream may have none.
    Messages(LogSlice),
    /// Nothing any more: another one listens, or the session has ended.
    Over,
}
