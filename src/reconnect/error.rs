//! Why a set of keys cannot be used.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use crate::body::BoxError;
use crate::causes;

/// [`ReconnectKeys`](super::ReconnectKeys) could not be made. The text names the fix and never shows a key; `Debug` reads like
/// `Display`, with the cause.
pub struct ReconnectKeysError {
    kind: Kind,
    /// Counted from 1, where the keys came as text.
    line: Option<usize>,
    source: Option<BoxError>,
}

#[derive(Debug)]
pub(super) enum Kind {
    KeyId,
    ShortSecret,
    RepeatedKeyId,
    NoKey,
    Words,
    Until,
    FirstEnds,
    VariableMissing,
    VariableNotText,
    File(PathBuf),
    Randomness,
}

impl ReconnectKeysError {
    pub(super) fn because(kind: Kind, source: impl Into<BoxError>) -> Self {
        Self { source: Some(source.into()), ..Self::from(kind) }
    }

    /// The same error, found in this line.
    pub(super) fn at(self, line: usize) -> Self {
        Self { line: Some(line), ..self }
    }

    #[cfg(test)]
    pub(super) fn kind(&self) -> &Kind {
        &self.kind
    }
}

impl From<Kind> for ReconnectKeysError {
    fn from(kind: Kind) -> Self {
        Self { kind, line: None, source: None }
    }
}

impl fmt::Display for ReconnectKeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("reconnect keys: ")?;
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        match &self.kind {
            Kind::KeyId => f.write_str("a key id is 1 to 64 visible ASCII characters, without blanks"),
            Kind::ShortSecret => f.write_str("a secret has at least 32 bytes; make one with `openssl rand -hex 32`"),
            Kind::RepeatedKeyId => f.write_str("this key id was given already; give each key an id of its own"),
            Kind::NoKey => {
                f.write_str("there is no key; write `KID SECRET`, the secret made with `openssl rand -hex 32`")
            }
            Kind::Words => {
                f.write_str("write `KID SECRET`, `KID SECRET until=2026-12-01T00:00:00Z`, or a secret alone")
            }
            Kind::Until => f.write_str("write the end as a moment in UTC, `until=2026-12-01T00:00:00Z`"),
            Kind::FirstEnds => {
                f.write_str("the first key signs and has no end; take its `until=` off, or put another first")
            }
            Kind::VariableMissing => {
                f.write_str("set MCP_RECONNECT_KEYS to `KID SECRET`, the secret made with `openssl rand -hex 32`")
            }
            Kind::VariableNotText => {
                f.write_str("MCP_RECONNECT_KEYS is no UTF-8 text; write the secret in hex or base64")
            }
            Kind::File(path) => write!(f, "make {} a UTF-8 text file that this process may read", path.display()),
            Kind::Randomness => f.write_str("the operating system has no randomness to give; name a key instead"),
        }
    }
}

impl fmt::Debug for ReconnectKeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        causes::write(f, self)
    }
}

impl Error for ReconnectKeysError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}
