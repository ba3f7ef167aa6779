//! [`EventLog`]: what happened to the sessions, in order, so that whoever watches misses nothing.

use std::fmt;

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::StoreError;
use crate::audit::ReconnectDoor;
use crate::event::SessionEvent;
use crate::id::SessionKey;
use crate::outcome::ReconnectOutcome;

/// One capped log for each part of the store. An event is recorded by the operation that makes the change it tells of, as
/// one with it: by [`open`](super::SessionStore::open), [`sweep`](super::SessionStore::sweep),
/// [`revive`](super::SessionStore::revive), [`reconnect`](super::SessionStore::reconnect) and
/// [`end`](super::SessionStore::end), exactly once over all replicas. All events of a session are in one part, in order.
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// Where each part's log ends now. The number of parts never changes; one is enough for most stores.
    async fn event_heads(&self) -> Result<Vec<EventHead>, StoreError>;

    /// The part in which a session's events are.
    fn event_part(&self, key: &SessionKey) -> usize;

    /// A part's events after an offset, oldest first, at most `max`. Sees every event recorded before the call.
    async fn events(&self, part: usize, after: u64, max: usize) -> Result<EventSlice, StoreError>;

    /// Records that a reconnect was refused, with the session as it is, if it lives.
    async fn record_refusal(&self, refusal: &Refusal) -> Result<(), StoreError>;

    /// Begins another epoch of a part, if the epoch is still `known`'s and the log ends before `known`: it has lost events,
    /// and what is recorded from now on must not be taken for them. Returns where the part's log ends then.
    async fn renew_epoch(&self, part: usize, known: &EventHead) -> Result<EventHead, StoreError>;

    /// Hears of events as they are recorded. It rings the bell as [`Bus`](super::Bus) does: an event may be missed or told
    /// twice, and has to be looked up then.
    async fn hear_events(&self) -> Result<BoxStream<'static, EventSignal>, StoreError>;
}

/// Where a part's log ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventHead {
    /// Within an epoch offsets rise by one; what was recorded in another epoch has nothing to do with them.
    pub epoch: Epoch,
    /// The last event's offset; 0 before the first.
    pub offset: u64,
}

/// The name of an unbroken run of a part's log: 1 to 32 letters and digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(Box<str>);

impl Epoch {
    /// Reads a name; `None` if it is empty, too long or has other characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        fits.then(|| Self(text.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What came of [`EventLog::events`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSlice {
    /// Where the part's log ends.
    pub head: EventHead,
    /// Events after the offset asked for are no longer kept.
    pub gap: bool,
    /// The events.
    pub events: Vec<SessionEvent>,
}

/// A reconnect that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The session it was about, if that is known.
    pub session: Option<SessionKey>,
    /// Why.
    pub outcome: ReconnectOutcome,
    /// Where.
    pub door: ReconnectDoor,
}

/// What somebody hears who listens to events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventSignal {
    /// An event was recorded.
    Event {
        /// In this part,
        part: usize,
        /// in this epoch.
        epoch: Epoch,
        /// The event.
        event: Box<SessionEvent>,
    },
    /// Events may have been missed: look.
    Gap,
}
