//! What can go wrong in a store. Whatever it is, the layer answers 503: it does not know, so it neither refuses nor accepts.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::body::BoxError;

/// A store could not do what it was asked. The cause is kept as [`source`](Error::source).
#[derive(Clone, Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// What kind of failure a [`StoreError`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The store cannot be reached, or did not answer in time. It may or may not have done what it was asked.
    Unavailable,
    /// The store is reachable and refuses to write: full, read-only, still loading.
    Refused,
    /// A record written by a newer version of this crate. It was left untouched; upgrade this replica.
    NewerFormat,
    /// What the store holds is not what this crate wrote.
    Corrupt,
    /// The address or the options make no sense.
    Misconfigured,
}

impl StoreError {
    /// An error with a cause.
    pub fn new(kind: StoreErrorKind, source: impl Into<BoxError>) -> Self {
        Self { kind, source: Some(source.into().into()) }
    }

    /// What kind of failure this is.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl From<StoreErrorKind> for StoreError {
    fn from(kind: StoreErrorKind) -> Self {
        Self { kind, source: None }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            StoreErrorKind::Unavailable => "the session store cannot be reached",
            StoreErrorKind::Refused => "the session store refuses to write (full, read-only or loading)",
            StoreErrorKind::NewerFormat => {
                "the session was written by a newer version of tower-mcp-sessions; upgrade this replica"
            }
            StoreErrorKind::Corrupt => "the session store holds something tower-mcp-sessions did not write",
            StoreErrorKind::Misconfigured => "the session store's address or options make no sense",
        })
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}
