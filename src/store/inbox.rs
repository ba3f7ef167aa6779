//! [`Inbox`]: what one replica has to tell the others about a session.
//!
//! A client's answer, cancellation or subscription reaches some replica; the inner service that waits for it may run on
//! another. Whoever gets it puts a letter into the session's inbox, which every replica that serves the session reads from
//! where it left off.

use async_trait::async_trait;
use bytes::Bytes;

use super::{LogLimits, StoreError};
use crate::id::SessionKey;

/// Letters between the replicas of a session, and the questions its client owes an answer to.
#[async_trait]
pub trait Inbox: Send + Sync + 'static {
    /// Notes that the session's client is being asked. At most `most` questions (and shaping calls) are open at a time.
    /// Refused if the session has ended or `generation` is no longer its own. Asking again changes nothing.
    async fn ask(
        &self,
        key: &SessionKey,
        generation: u32,
        question: &QuestionName,
        most: usize,
    ) -> Result<Asked, StoreError>;

    /// Closes a question that a session of that generation was asked: it is answered here, or nobody waits for the answer any
    /// more. `true` for exactly one caller, and then for no [`post`](Self::post) that would answer it; `false` for a question
    /// that is not open, and for any of another generation.
    async fn settle(&self, key: &SessionKey, generation: u32, question: &QuestionName) -> Result<bool, StoreError>;

    /// Puts a letter into the session's inbox. One that answers a question is taken only while that is open, and closes it.
    /// Oldest letters make room within `limits`.
    async fn post(
        &self,
        key: &SessionKey,
        generation: u32,
        letter: &Bytes,
        answers: Option<&QuestionName>,
        limits: &LogLimits,
    ) -> Result<Posted, StoreError>;

    /// Keeps a shaping call with the session, or forgets one, and puts a letter about it into the inbox: both or neither.
    /// Names and calls together stay within `most` bytes; one that would not fit changes nothing.
    async fn shape(
        &self,
        key: &SessionKey,
        generation: u32,
        shaping: &Shaping,
        most: usize,
        limits: &LogLimits,
    ) -> Result<Shaped, StoreError>;

    /// Letters after a position, oldest first, at most `max`. Sees every letter and every listener acknowledged before the
    /// call.
    async fn letters(&self, key: &SessionKey, after: u64, max: usize) -> Result<Letters, StoreError>;
}

/// The name of a question the server asks: up to 4,000 visible ASCII characters, no space.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QuestionName(String);

impl QuestionName {
    /// Reads a name; `None` if it is empty, too long or has other characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=4000).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A call that shapes a session for good: a log level, a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shaping {
    /// What it shapes; a later one of the same name replaces it.
    pub name: String,
    /// The call to replay to other replicas' inner services; `None` to forget it.
    pub call: Option<Bytes>,
    /// What other replicas are told.
    pub letter: Bytes,
}

/// What came of [`Inbox::ask`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The question is open.
    Open,
    /// Too many are; this one is not.
    TooMany,
    /// The session's secret was renewed; its old holder is asked nothing.
    Superseded,
    /// The session has ended.
    Gone,
}

/// What came of [`Inbox::post`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posted {
    /// The letter is in the inbox.
    Posted,
    /// It answers no open question; nothing changed.
    NotAsked,
    /// The session's secret was renewed; nothing changed.
    Superseded,
    /// The session has ended.
    Gone,
}

/// What came of [`Inbox::shape`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shaped {
    /// Kept or forgotten, as asked.
    Shaped,
    /// The session's shaping calls would grow past the limit; nothing changed.
    TooLarge,
    /// The session's secret was renewed; nothing changed.
    Superseded,
    /// The session has ended.
    Gone,
}

/// A part of an inbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letters {
    /// Letters with their positions, in order.
    pub letters: Vec<(u64, Bytes)>,
    /// Letters after the asked position were dropped: there is a gap before the first one.
    pub gap: bool,
    /// Whether the client has ever listened to what the server says by itself.
    pub listened: bool,
}
