//! Where a viewer stands: opaque to it, and good on every replica.
//!
//! Inside it is a mark in each part's event log, and while a snapshot is still being read also how far that is. A cursor of
//! another epoch, or of a store with another number of parts, proves nothing and leads to a snapshot; so does one whose event
//! is not the one that stands at its offset.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, Serializer};

use crate::event::SessionEvent;
use crate::id::SessionKey;
use crate::session::Timestamp;
use crate::store::{Epoch, EventHead, Place};

/// Longest cursor read: 64 parts fit well.
const LONGEST: usize = 8 << 10;

/// A viewer's position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// One for each part of the store.
    pub(crate) marks: Vec<Mark>,
    /// The snapshot that was begun there goes on.
    pub(crate) reading: Option<Reading>,
}

/// How far a part's log was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) head: EventHead,
    /// When the event at that offset happened; 0 if there is none, or it is no longer kept. A store that comes back from the
    /// past may give the offset to another event, but not the time.
    pub(crate) at: Timestamp,
}

/// How far a snapshot was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Pages read so far.
    pub(crate) pages: u32,
    /// The sessions are read once more that were seen since this moment: they may have moved past the reader. Before that,
    /// when reading began.
    pub(crate) since: Timestamp,
    pub(crate) is_second: bool,
    /// It goes on after this session.
    pub(crate) place: Option<Place>,
}

impl Cursor {
    /// A viewer that has seen everything up to here.
    pub(crate) const fn at(marks: Vec<Mark>) -> Self {
        Self { marks, reading: None }
    }

    /// A viewer in the middle of a snapshot that was begun here.
    pub(crate) const fn within(marks: Vec<Mark>, reading: Reading) -> Self {
        Self { marks, reading: Some(reading) }
    }

    /// When the last event happened that the viewer knows.
    pub(crate) fn time(&self) -> Timestamp {
        self.marks.iter().map(|mark| mark.at).max().unwrap_or_default()
    }

    /// Reads what a viewer sent; `None` unless it is a cursor.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let text = std::str::from_utf8(&bytes).ok()?;
        let (marks, reading) = match text.split_once('/') {
            Some((marks, reading)) => (marks, Some(Reading::parse(reading)?)),
            None => (text, None),
        };
        let marks = marks.split(',').map(Mark::parse).collect::<Option<Vec<_>>>()?;
        Some(Self { marks, reading })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mark = |Mark { head, at }: &Mark| format!("{}:{}:{}", head.epoch, head.offset, at.0);
        let mut text = self.marks.iter().map(mark).collect::<Vec<_>>().join(",");
        if let Some(reading) = &self.reading {
            text.push('/');
            text.push_str(&reading.to_string());
        }
        f.write_str(&URL_SAFE_NO_PAD.encode(text))
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Mark {
    /// Whether it stands further on in the same epoch.
    pub(crate) fn is_ahead_of(&self, other: &Self) -> bool {
        self.head.epoch == other.head.epoch && self.head.offset > other.head.offset
    }

    /// The event was read, too.
    pub(crate) const fn move_to(&mut self, event: &SessionEvent) {
        self.head.offset = event.offset;
        self.at = event.at;
    }

    fn parse(text: &str) -> Option<Self> {
        let (epoch, rest) = text.split_once(':')?;
        let (offset, at) = rest.split_once(':')?;
        let head = EventHead { epoch: Epoch::parse(epoch)?, offset: offset.parse().ok()? };
        Some(Self { head, at: Timestamp(at.parse().ok()?) })
    }
}

impl Reading {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.splitn(4, ':');
        let (pages, since, is_second) =
            (words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()? == "2");
        let place = match words.next() {
            Some(place) => Some(parse_place(place)?),
            None => None,
        };
        Some(Self { pages, since: Timestamp(since), is_second, place })
    }
}

impl std::fmt::Display for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.pages, self.since.0, if self.is_second { 2 } else { 1 })?;
        match &self.place {
            Some(place) => write!(f, ":{}", place_text(place)),
            None => Ok(()),
        }
    }
}

/// A place as cursors hold it.
pub(crate) fn place_text(place: &Place) -> String {
    format!("{}:{}", place.last_seen.0, place.key)
}

/// Reads it back.
pub(crate) fn parse_place(text: &str) -> Option<Place> {
    let (last_seen, key) = text.split_once(':')?;
    Some(Place { last_seen: Timestamp(last_seen.parse().ok()?), key: SessionKey::parse(key)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_their_text_and_rubbish_is_none() {
        let mark = |epoch: &str, offset| Mark {
            head: EventHead { epoch: Epoch::parse(epoch).unwrap(), offset },
            at: Timestamp(1_700_000_000_001),
        };
        let place =
            Place { last_seen: Timestamp(1_700_000_000_000), key: SessionKey::parse("AAAAAAAAAAAAAAAA").unwrap() };
        let reading = Reading { pages: 3, since: Timestamp(7), is_second: false, place: Some(place) };
        for cursor in [
            Cursor::at(vec![mark("a1", 7)]),
            Cursor::at(vec![mark("a1", 0), mark("zz", u64::MAX)]),
            Cursor::within(vec![mark("a1", 7)], reading.clone()),
            Cursor::within(vec![mark("a1", 7)], Reading { is_second: true, place: None, ..reading }),
        ] {
            assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        }
        for rubbish in ["", "x", "AAAA", "%00", &"A".repeat(LONGEST + 1)] {
            assert_eq!(Cursor::parse(rubbish), None, "{rubbish}");
        }
        for text in ["a1:7", "a1:7:x", "a1:7:1/", "a1:7:1/1:2", "a1:7:1/1:2:1:3:short", ":7:1", "a1:7:1,"] {
            assert_eq!(Cursor::parse(&URL_SAFE_NO_PAD.encode(text)), None, "{text}");
        }
    }
}
