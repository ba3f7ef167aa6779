//! [`Presence`]: which replicas run, so that nobody waits for one that has died; and what they say of themselves, so that one that
//! is set up differently is noticed.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::StoreError;

/// Signs of life.
#[async_trait]
pub trait Presence: Send + Sync + 'static {
    /// A replica says that it runs; its word is good for `ttl`, by the store's clock.
    async fn announce(&self, replica: &ReplicaId, ttl: Duration) -> Result<(), StoreError>;

    /// A replica says that it leaves.
    async fn withdraw(&self, replica: &ReplicaId) -> Result<(), StoreError>;

    /// Whether the replica's word is still good.
    async fn is_present(&self, replica: &ReplicaId) -> Result<bool, StoreError>;

    /// Says facts about the deployment that a process is part of. For each, in order, what had been said before; `None` if
    /// nobody had. All that was said is remembered for `ttl` at least.
    async fn declare(&self, facts: &[Fact], ttl: Duration) -> Result<Vec<Option<String>>, StoreError>;
}

/// A fact about a deployment, as one of its processes knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it is about.
    pub name: String,
    /// What it is.
    pub value: String,
    /// Which of those who say different things is believed.
    pub believed: Believed,
}

/// Which of those who say different things is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Believed {
    /// Who said it first.
    First,
    /// Who said it last.
    Last,
}

/// One run of one replica: eight characters of base64url, never used again after a restart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReplicaId([u8; 8]);

impl ReplicaId {
    /// How many characters an id has.
    pub const CHARS: usize = 8;

    /// A new id from the operating system's randomness.
    ///
    /// # Errors
    ///
    /// If the operating system has no randomness to give.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let (mut bytes, mut text) = ([0; 6], [0; Self::CHARS]);
        getrandom::fill(&mut bytes)?;
        URL_SAFE_NO_PAD.encode_slice(bytes, &mut text).expect("six bytes are eight characters");
        Ok(Self(text))
    }

    /// Reads an id; `None` unless it is eight characters of base64url.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text: [u8; Self::CHARS] = text.as_bytes().try_into().ok()?;
        let known = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
        text.iter().all(known).then_some(Self(text))
    }

    /// The eight characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an id is ASCII")
    }
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplicaId({self})")
    }
}
