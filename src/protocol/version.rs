//! Protocol revisions and the two eras they fall into.
//!
//! A revision is named by a date. Revisions up to 2025-11-25 are *legacy*: they have `initialize`, sessions, a GET stream
//! and `Last-Event-ID`. From 2026-07-28 on they are *modern*: every request speaks for itself.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The date of a protocol revision, such as `2025-11-25`.
///
/// Ordered by date.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProtocolVersion([u8; 10]);

impl ProtocolVersion {
    /// The first revision of all. It has no Streamable HTTP, and is spoken over it all the same.
    pub const V2024_11_05: Self = Self(*b"2024-11-05");
    /// The first revision with Streamable HTTP; the only one with JSON-RPC batches.
    pub const V2025_03_26: Self = Self(*b"2025-03-26");
    /// The revision that added the `MCP-Protocol-Version` header.
    pub const V2025_06_18: Self = Self(*b"2025-06-18");
    /// The last revision with protocol sessions; the only one with priming events and `retry`.
    pub const V2025_11_25: Self = Self(*b"2025-11-25");
    /// The first revision without protocol sessions.
    pub const V2026_07_28: Self = Self(*b"2026-07-28");

    /// Reads `YYYY-MM-DD`; `None` for any other shape.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let date: [u8; 10] = text.try_into().ok()?;
        let fits = |(at, c): (usize, &u8)| match at {
            4 | 7 => *c == b'-',
            _ => c.is_ascii_digit(),
        };
        date.iter().enumerate().all(fits).then_some(Self(date))
    }

    /// The date as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a date is ASCII")
    }

    /// Whether this revision has no protocol sessions: any date of 2026-07-28 or later.
    #[must_use]
    pub fn is_modern(&self) -> bool {
        *self >= Self::V2026_07_28
    }

    /// Whether this is one of the revisions with sessions that there are.
    #[must_use]
    pub fn is_known_legacy(&self) -> bool {
        [Self::V2024_11_05, Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25].contains(self)
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProtocolVersion({self})")
    }
}

impl TryFrom<String> for ProtocolVersion {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(text.as_bytes()).ok_or("a protocol version is a date, YYYY-MM-DD")
    }
}

impl From<ProtocolVersion> for String {
    fn from(version: ProtocolVersion) -> Self {
        version.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eras_meet_on_2026_07_28() {
        let modern = |text: &str| ProtocolVersion::parse(text.as_bytes()).unwrap().is_modern();
        assert!(!modern("2025-11-25"));
        assert!(!modern("2026-07-27"));
        assert!(modern("2026-07-28"));
        assert!(modern("2031-01-01"));
    }

    #[test]
    fn only_dates_are_versions() {
        for text in ["", "latest", "2025-11-2", "2025-11-255", "2025/11/25", "DRAFT-2026"] {
            assert_eq!(ProtocolVersion::parse(text.as_bytes()), None, "{text}");
        }
    }
}
