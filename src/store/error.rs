//! What can go wrong in a store. Whatever it is, the layer answers 503: it does not know, so it neither refuses nor accepts.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::body::BoxError;
use crate::causes;

/// A store could not do what it was asked. The cause is kept as [`source`](Error::source); `Debug` reads like `Display`, with all
/// causes.
#[derive(Clone)]
pub struct StoreError {
    kind: StoreErrorKind,
    /// In place of the kind's own: what has happened, and what to do about it.
    texts: Option<Texts>,
    /// Of a store that could not be connected to, without what is secret of it.
    address: Option<Arc<str>>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// What has happened, and what whoever wants to connect can do about it.
type Texts = (&'static str, &'static str);

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
    /// The store is reachable, perhaps, and the address, the credentials, their rights or the options are not what it needs: the text
    /// says which, and what to do.
    Misconfigured,
}

impl StoreError {
    /// An error with a cause.
    pub fn new(kind: StoreErrorKind, source: impl Into<BoxError>) -> Self {
        Self { kind, texts: None, address: None, source: Some(source.into().into()) }
    }

    /// The same, of a store at this address, which whoever gets the error wants to connect to. It must hold no secret.
    #[must_use]
    pub fn at(self, address: impl Into<Arc<str>>) -> Self {
        Self { address: Some(address.into()), ..self }
    }

    /// The same, which says more than its kind does: what has happened, as what follows "the session store", and what can be done
    /// about it.
    #[cfg(feature = "redis")]
    #[must_use]
    pub(crate) fn saying(self, texts: Texts) -> Self {
        Self { texts: Some(texts), ..self }
    }

    /// What kind of failure this is.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl From<StoreErrorKind> for StoreError {
    fn from(kind: StoreErrorKind) -> Self {
        Self { kind, texts: None, address: None, source: None }
    }
}

impl StoreErrorKind {
    const fn texts(self) -> Texts {
        match self {
            Self::Unavailable => ("cannot be reached", "start it, or name another address"),
            Self::Refused => (
                "refuses to write (full, read-only or loading)",
                "give it memory, name the primary, or wait until it has loaded",
            ),
            Self::NewerFormat => (
                "holds a session that was written by a newer version of tower-mcp-sessions; upgrade this replica",
                "or name another address",
            ),
            Self::Corrupt => {
                ("holds something tower-mcp-sessions did not write", "name another address, or another prefix")
            }
            Self::Misconfigured => {
                ("does not fit its address or options", "an address is redis://[user:password@]host[:port]/")
            }
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (happened, advice) = self.texts.unwrap_or_else(|| self.kind.texts());
        match &self.address {
            None => write!(f, "the session store {happened}"),
            Some(address) => write!(f, "the session store at {address} {happened}; {advice}"),
        }
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        causes::write(f, self)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_the_same_by_debug_and_names_where_and_what_to_do() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let error = StoreError::new(StoreErrorKind::Unavailable, refused);
        assert_eq!(error.to_string(), "the session store cannot be reached");
        assert_eq!(format!("{error:?}"), "the session store cannot be reached: connection refused");
        let error = error.at("127.0.0.1:6379");
        let text = "the session store at 127.0.0.1:6379 cannot be reached; start it, or name another address";
        assert_eq!((error.to_string(), format!("{error:#?}")), (text.into(), format!("{text}: connection refused")));
    }
}
