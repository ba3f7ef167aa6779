//! Where a viewer stands: opaque to it, and good on every replica.
//!
//! Inside it is a position in each part's event log, and while a snapshot is still being read also the last session of the
//! page before. A cursor of another epoch, or of a store with another number of parts, proves nothing and leads to a snapshot.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, Serializer};

use crate::id::SessionKey;
use crate::session::Timestamp;
use crate::store::{Epoch, EventHead, Place};

/// Longest cursor read: 64 parts fit well.
const LONGEST: usize = 8 << 10;

/// A viewer's position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// One for each part of the store.
    pub(crate) heads: Vec<EventHead>,
    /// The snapshot goes on after this session.
    pub(crate) place: Option<Place>,
}

impl Cursor {
    /// A viewer that has seen everything up to here.
    pub(crate) const fn at(heads: Vec<EventHead>) -> Self {
        Self { heads, place: None }
    }

    /// A viewer in the middle of a snapshot that was begun here.
    pub(crate) const fn within(heads: Vec<EventHead>, place: Place) -> Self {
        Self { heads, place: Some(place) }
    }

    /// Reads what a viewer sent; `None` unless it is a cursor.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let text = std::str::from_utf8(&bytes).ok()?;
        let (heads, place) = match text.split_once('/') {
            Some((heads, place)) => (heads, Some(parse_place(place)?)),
            None => (text, None),
        };
        let heads = heads.split(',').map(parse_head).collect::<Option<Vec<_>>>()?;
        Some(Self { heads, place })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let heads: Vec<String> = self.heads.iter().map(|head| format!("{}:{}", head.epoch, head.offset)).collect();
        let mut text = heads.join(",");
        if let Some(Place { last_seen, key }) = &self.place {
            text.push_str(&format!("/{}:{key}", last_seen.0));
        }
        f.write_str(&URL_SAFE_NO_PAD.encode(text))
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn parse_head(text: &str) -> Option<EventHead> {
    let (epoch, offset) = text.split_once(':')?;
    Some(EventHead { epoch: Epoch::parse(epoch)?, offset: offset.parse().ok()? })
}

/// Reads a place as [`Cursor`] writes it, and as the list's pages do.
pub(crate) fn parse_place(text: &str) -> Option<Place> {
    let (last_seen, key) = text.split_once(':')?;
    Some(Place { last_seen: Timestamp(last_seen.parse().ok()?), key: SessionKey::parse(key)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_their_text_and_rubbish_is_none() {
        let head = |epoch: &str, offset| EventHead { epoch: Epoch::parse(epoch).unwrap(), offset };
        let place =
            Place { last_seen: Timestamp(1_700_000_000_000), key: SessionKey::parse("AAAAAAAAAAAAAAAA").unwrap() };
        for cursor in [
            Cursor::at(vec![head("a1", 7)]),
            Cursor::at(vec![head("a1", 0), head("zz", u64::MAX)]),
            Cursor::within(vec![head("a1", 7)], place),
        ] {
            assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        }
        for rubbish in ["", "x", "AAAA", "%00", &"A".repeat(LONGEST + 1)] {
            assert_eq!(Cursor::parse(rubbish), None, "{rubbish}");
        }
    }
}
