//! [`SessionStore`]: records, what new replicas need to know of a session, and the data kept with it.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{InnerReplaced, SealedInner, StoreError};
use crate::id::{NonceDigest, SecretDigest, SessionKey};
use crate::lifetimes::Lifetimes;
use crate::session::{EndReason, NewSession, Principal, SessionOrigin, SessionRecord, Timestamp};

/// Session records and the data kept with them.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Opens a session, active, seen now, its handshake unconfirmed. An existing key is never overwritten. With a `cap`, no
    /// session is opened beyond so many living ones; a store in several parts may share the cap out among them.
    async fn open(&self, session: &NewSession, cap: Option<u64>) -> Result<Opening, StoreError>;

    /// The session's record, or `None` if no such session lives. Sees every change acknowledged before the call.
    async fn find(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError>;

    /// What another replica's inner service has to be told to know the session, or `None` if no such session lives. A session
    /// whose handshake alone is lost lives: its blueprint says so.
    async fn blueprint(&self, key: &SessionKey) -> Result<Option<Blueprint>, StoreError>;

    /// Tells of activity, some time ago. For each session: an active one is seen at `now - age`, unless it was seen later
    /// already; a disconnected one stays disconnected; one that has ended stays ended, and so does one whose retention has passed
    /// though no sweep has noticed yet. Activity of a generation that is not the session's own changes nothing. Outcomes are in
    /// the batch's order.
    ///
    /// The batch need not be atomic as a whole; each session's touch is.
    async fn touch(&self, batch: &[Touch]) -> Result<Touched, StoreError>;

    /// Makes a disconnected session of that generation active again, seen now, on this replica. Of several callers at once
    /// exactly one gets [`Revival::Revived`]. A session whose retention has passed is not revived.
    async fn revive(&self, key: &SessionKey, generation: u32, replica: &str) -> Result<Revival, StoreError>;

    /// Gives a session a new secret and makes it active, seen now; its generation rises by one, its lifetimes stay. Of several callers that name
    /// the same generation exactly one gets [`Reconnected::Done`], but for its own retries: one that names the same generation
    /// and the same nonce within [`Reconnection::RETRY_WINDOW`] sets the secret once more and gets the same generation again.
    /// One that brings the secret and the handshake that the session has already takes nothing of what its holder did since. A
    /// session whose retention has passed is gone.
    ///
    /// With it the old holder's streams and open questions are forgotten and its listener is superseded; what its listening
    /// stream had not delivered is kept for the next one. With a new handshake, shaping calls are forgotten too, and the inner
    /// session it brings takes the place of the one there was, as one with it; a late try's does not.
    async fn reconnect(&self, change: &Reconnection) -> Result<Reconnected, StoreError>;

    /// Makes an anonymous session of that generation its first principal's; its generation rises by one. The secret, the status, when
    /// it was seen, its handshake, data, shaping calls and inner session stay. Of several principals at once exactly one gets
    /// [`Adoption::Adopted`]; the same one again, until the session changes hands once more, is told so. Whether the retention has
    /// passed is not judged here.
    ///
    /// With it the anonymous holder's streams are forgotten and its listener is superseded, as with a reconnect, and nobody may retry
    /// a reconnect of before. Its open questions stay open: the principal owes the answers.
    async fn adopt(&self, key: &SessionKey, generation: u32, principal: &Principal) -> Result<Adoption, StoreError>;

    /// Gives a session another inner session, if it is of that generation and its inner session is still of the incarnation
    /// `expected`; `None` if it has none. Of several callers that expect the same exactly one gets
    /// [`InnerReplaced::Replaced`]. Within a session's life incarnations only rise, also over reconnects and removals.
    async fn replace_inner(
        &self,
        key: &SessionKey,
        generation: u32,
        expected: Option<u64>,
        sealed: Bytes,
    ) -> Result<InnerReplaced, StoreError>;

    /// Takes the inner session that a session left behind when it ended, however that happened. `Some` for exactly one caller
    /// within [`SealedInner::FAREWELL`] of the end; `None` while the session lives, if it had none, and if its holder ended it
    /// and took it then.
    async fn take_inner(&self, key: &SessionKey) -> Result<Option<Bytes>, StoreError>;

    /// Ends a session: its record, handshake, data and streams are gone, and nothing brings them back.
    /// [`Ended::Done`] for exactly one caller. For a holder, a session of another generation is left alone.
    async fn end(&self, key: &SessionKey, by: EndedBy, reason: EndReason) -> Result<Ended, StoreError>;

    /// Notices what is due, by each session's own lifetimes: active sessions idle for `idle_timeout` become disconnected, sessions
    /// unseen for `expires_after` or older than `max_lifetime` end, and so do those whose handshake is unconfirmed after
    /// `handshake_timeout`. All that only when it has been due for `grace`: activity may be told late. Handles about `limit`
    /// sessions; `more` says that some are left. Over all callers each transition is reported exactly once, and none
    /// happens early.
    async fn sweep(&self, grace: Duration, limit: usize) -> Result<Swept, StoreError>;

    /// Gives every session that lives these lifetimes, in place of its own; returns how many it gave them to. Each change is
    /// atomic, all of them together are not: a session that is opened meanwhile keeps what it was opened with.
    async fn apply_lifetimes(&self, lifetimes: &Lifetimes) -> Result<u64, StoreError>;

    /// A process that opens sessions says which lifetimes it gives them, and is told which were said last before. Nothing is
    /// changed by it, but for sessions that were written by a version without lifetimes of their own: they have those that
    /// were announced first.
    async fn announce_lifetimes(&self, lifetimes: &Lifetimes) -> Result<Option<Lifetimes>, StoreError>;

    /// A value of the session's data, or `None` if it has none by this name or does not live.
    async fn data_get(&self, key: &SessionKey, name: &str) -> Result<Option<Bytes>, StoreError>;

    /// Keeps a value with the session, for as long as the session lives, if it is of that generation. Names and values together
    /// stay within `limit` bytes; a value that would not fit changes nothing.
    async fn data_put(
        &self,
        key: &SessionKey,
        generation: u32,
        name: &str,
        value: Bytes,
        limit: usize,
    ) -> Result<DataPut, StoreError>;

    /// Forgets a value, if the session is of that generation.
    async fn data_remove(&self, key: &SessionKey, generation: u32, name: &str) -> Result<DataRemoved, StoreError>;

    /// How many sessions live.
    async fn census(&self) -> Result<Census, StoreError>;
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
    /// As many sessions live as may; nothing changed.
    Full,
}

/// What makes an inner service know a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blueprint {
    /// The session's generation: what stands here is its holder's.
    pub generation: u32,
    /// The `initialize` message the session was opened with; `None` if the store has lost it.
    pub handshake: Option<Bytes>,
    /// The shaping calls made since, by name.
    pub shapings: Vec<(String, Bytes)>,
    /// Position of the last letter that is already in the above.
    pub inbox: u64,
    /// Whether the client has ever listened to what the server says by itself.
    pub listened: bool,
    /// Its session with an inner service that all replicas share, if it has one.
    pub inner: Option<SealedInner>,
}

/// One session's activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The session.
    pub key: SessionKey,
    /// The generation whose client was active.
    pub generation: u32,
    /// How long ago it was last active, by the caller's monotonic clock.
    pub age: Duration,
    /// The client has confirmed its handshake.
    pub confirms: bool,
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
    /// Of another generation; nothing changed.
    Superseded,
    /// Ended, past its retention, or never opened.
    Gone,
}

/// A session's new holder.
#[derive(Clone)]
pub struct Reconnection {
    /// The session.
    pub key: SessionKey,
    /// The generation that is to end: the store's own, or nothing happens.
    pub generation: u32,
    /// Of the new secret.
    pub digest: SecretDigest,
    /// What is known of the session from now on.
    pub origin: SessionOrigin,
    /// The new `initialize` message; `None` keeps the one there is.
    pub handshake: Option<Bytes>,
    /// Beside a new handshake: the inner session that answered it, if that is shared; `None` removes the one there is. Without
    /// a new handshake the session keeps the inner session it has, whatever stands here.
    pub inner: Option<Bytes>,
    /// What the caller will show to be given a secret again.
    pub nonce: Option<NonceDigest>,
}

impl Reconnection {
    /// How long the winner may retry.
    pub const RETRY_WINDOW: Duration = Duration::from_secs(30);
}

impl fmt::Debug for Reconnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, generation, digest, origin, handshake, inner, nonce } = self;
        f.debug_struct("Reconnection")
            .field("key", key)
            .field("generation", generation)
            .field("digest", digest)
            .field("origin", origin)
            .field("handshake", handshake)
            .field("inner_bytes", &inner.as_ref().map(Bytes::len))
            .field("nonce", nonce)
            .finish()
    }
}

/// What came of [`SessionStore::reconnect`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reconnected {
    /// The new secret is the session's.
    Done {
        /// The store's clock.
        now: Timestamp,
        /// The generation from now on.
        generation: u32,
        /// When the session was opened.
        created_at: Timestamp,
        /// How long it had been unseen.
        gap: Duration,
        /// The last letter of the session's inbox.
        inbox: u64,
        /// The winner's retry.
        again: bool,
        /// The inner session from now on. If that is not the one the caller brought, nobody uses the caller's.
        inner: Option<SealedInner>,
        /// The inner session that the caller's took the place of; it is up to the caller to say goodbye to it.
        replaced: Option<SealedInner>,
    },
    /// The session is of another generation: somebody was first, or the secret was renewed since.
    Superseded,
    /// It has ended, or its retention has passed.
    Gone,
}

/// What came of [`SessionStore::adopt`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adoption {
    /// The session is the principal's.
    Adopted {
        /// The generation from now on.
        generation: u32,
        /// It had been adopted by the same principal already.
        again: bool,
    },
    /// It is somebody else's, or was never anonymous.
    Taken,
    /// The session is of another generation.
    Superseded,
    /// It has ended.
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
    /// It is of another generation; nothing changed.
    Superseded,
    /// It has ended, or its retention has passed.
    Gone,
}

/// In whose name a session is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// The holder of this generation: the session of another one is not theirs.
    Holder(u32),
    /// An operator, or the layer for everybody: whoever holds the session.
    Operator,
}

/// What came of [`SessionStore::end`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// This call ended the session.
    Done {
        /// For a holder: the inner session that it had, the caller's to say goodbye to. An operator leaves it behind for
        /// [`take_inner`](SessionStore::take_inner), and gets `None`.
        inner: Option<Bytes>,
    },
    /// It has another holder; nothing changed.
    Superseded,
    /// It had ended already, or never lived.
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
    /// The session is of another generation; nothing changed.
    Superseded,
    /// The session has ended.
    Gone,
}

/// What came of [`SessionStore::data_remove`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataRemoved {
    /// There was a value, and is none now.
    Removed,
    /// There was none by this name.
    Nothing,
    /// The session is of another generation; nothing changed.
    Superseded,
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
