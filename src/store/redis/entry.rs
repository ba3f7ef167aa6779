//! A [`SessionEvent`] as the scripts write it: fields with line breaks between, the record last.
//!
//! | field | what |
//! |---|---|
//! | 1 | `o` opened, `d` disconnected, `r` returned, `t` reconnected with a token, `p` adopted by a principal, `e` ended, `f` a reconnect refused |
//! | 2 | the session's key, if it is about one |
//! | 3 | when, in ms |
//! | 4 | when the session was last seen, in ms |
//! | 5 | `r t`: how long it had been unseen, in ms |
//! | 6 | `r t`: the replica it was on; `e`: the reason; `f`: the outcome |
//! | 7 | `f`: the door |
//! | 8 | the session's record without the digest, if it is known: see `record.rs` |
//!
//! Published, it stands below a line of part, epoch and id in the log, with blanks between.

use std::time::Duration;

use super::record;
use super::witness::{EntryId, Mark};
use crate::audit::ReconnectDoor;
use crate::event::{Change, Comeback, SessionEvent, SessionView};
use crate::id::SessionKey;
use crate::outcome::ReconnectOutcome;
use crate::session::{EndReason, Timestamp};
use crate::store::{Epoch, EventSignal, StoreError, StoreErrorKind};

/// Reads an event.
///
/// # Errors
///
/// [`NewerFormat`](StoreErrorKind::NewerFormat) if it or its record is of a kind that this version does not know.
pub(super) fn decode(offset: u64, text: &[u8]) -> Result<SessionEvent, StoreError> {
    let mut fields = text.splitn(8, |byte| *byte == b'\n');
    let mut next = || fields.next().ok_or(StoreErrorKind::NewerFormat);
    let (what, key, at, last_seen, gap) = (next()?, line(next()?)?, number(next()?)?, line(next()?)?, line(next()?)?);
    let (detail, door, record) = (line(next()?)?, line(next()?)?, next()?);
    let comeback = |how| {
        let gap = Duration::from_millis(number(gap.as_bytes())?);
        Ok::<_, StoreError>(Change::Reconnected { how, gap, from_replica: detail.into() })
    };
    let change = match what {
        b"o" => Change::Created,
        b"d" => Change::Disconnected,
        b"r" => comeback(Comeback::Return)?,
        b"t" => comeback(Comeback::Token)?,
        b"p" => Change::Adopted,
        b"e" => Change::Terminated(EndReason::parse(detail).ok_or(StoreErrorKind::NewerFormat)?),
        b"f" => Change::ReconnectRefused { outcome: outcome(detail)?, door: read_door(door)? },
        _ => return Err(StoreErrorKind::NewerFormat.into()),
    };
    Ok(SessionEvent { offset, at: Timestamp(at), change, session: session(key, last_seen, record)? })
}

/// An event as it was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) part: usize,
    pub(super) mark: Mark,
    pub(super) event: Box<SessionEvent>,
}

impl Heard {
    /// Reads what was published; `None` if this version does not understand it.
    pub(super) fn decode(text: &[u8]) -> Option<Self> {
        let end = text.iter().position(|byte| *byte == b'\n')?;
        let mut words = std::str::from_utf8(&text[..end]).ok()?.split(' ');
        let (part, epoch) = (words.next()?.parse().ok()?, Epoch::parse(words.next()?)?);
        let id = EntryId::parse(words.next()?).ok()?;
        let event = decode(id.offset, &text[end + 1..]).ok()?;
        Some(Self { part, mark: Mark { epoch, id }, event: Box::new(event) })
    }
}

impl From<Heard> for EventSignal {
    fn from(heard: Heard) -> Self {
        Self::Event { part: heard.part, epoch: heard.mark.epoch, event: heard.event }
    }
}

/// A record that nobody can read is as good as none: it does not hold up what happened to other sessions.
fn session(key: &str, last_seen: &str, record: &[u8]) -> Result<Option<SessionView>, StoreError> {
    let (Some(key), false) = (SessionKey::parse(key), record.is_empty()) else { return Ok(None) };
    match record::decode_shown(key, record, Timestamp(number(last_seen.as_bytes())?)) {
        Err(error) if error.kind() == StoreErrorKind::Corrupt => Ok(None),
        view => view.map(Some),
    }
}

fn outcome(name: &str) -> Result<ReconnectOutcome, StoreErrorKind> {
    ReconnectOutcome::ALL.into_iter().find(|outcome| outcome.as_str() == name).ok_or(StoreErrorKind::NewerFormat)
}

fn read_door(name: &str) -> Result<ReconnectDoor, StoreErrorKind> {
    [ReconnectDoor::Initialize, ReconnectDoor::Api, ReconnectDoor::Tool]
        .into_iter()
        .find(|door| door.as_str() == name)
        .ok_or(StoreErrorKind::NewerFormat)
}

fn line(field: &[u8]) -> Result<&str, StoreError> {
    std::str::from_utf8(field).map_err(|error| StoreError::new(StoreErrorKind::Corrupt, error))
}

fn number(field: &[u8]) -> Result<u64, StoreError> {
    line(field)?.parse().map_err(|error| StoreError::new(StoreErrorKind::Corrupt, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::version::ProtocolVersion;
    use crate::session::{ClientInfo, SessionOrigin, SessionStatus};

    /// What the scripts of version 0.1.0 write. These bytes never change.
    fn golden(fields: &str) -> Vec<u8> {
        let mut text = fields.as_bytes().to_vec();
        text.extend([1, b'A', 0, 0, 0, 10, 0, 0, 1, 0x99, 0x1f, 0x2e, 0x3d, 0x4c]);
        text.extend(br#"{"v":"2025-11-25","c":{"name":"cursor","version":"1.2"},"p":"alice","r":"a-1","i":true}"#);
        text
    }

    fn event(change: Change) -> SessionEvent {
        let session = SessionView {
            key: SessionKey::parse("AAAAAAAAAAAAAAAA").unwrap(),
            status: SessionStatus::Active,
            reconnect_count: 10,
            created_at: Timestamp(0x0199_1f2e_3d4c),
            last_seen: Timestamp(1_757_000_000_123),
            origin: SessionOrigin {
                protocol_version: ProtocolVersion::V2025_11_25,
                client: ClientInfo { name: "cursor".into(), version: "1.2".into() },
                principal: Some("alice".into()),
                replica: "a-1".into(),
                adopted: None,
                inner_has_sessions: true,
            },
        };
        SessionEvent { offset: 7, at: Timestamp(1_757_000_000_456), change, session: Some(session) }
    }

    #[test]
    fn golden_entries_decode() {
        let when = "AAAAAAAAAAAAAAAA\n1757000000456\n1757000000123";
        let comeback =
            |how| Change::Reconnected { how, gap: Duration::from_millis(333), from_replica: "b \"2\"".into() };
        let refused = Change::ReconnectRefused { outcome: ReconnectOutcome::TokenMismatch, door: ReconnectDoor::Api };
        for (fields, change) in [
            (format!("o\n{when}\n\n\n\n"), Change::Created),
            (format!("d\n{when}\n\n\n\n"), Change::Disconnected),
            (format!("r\n{when}\n333\nb \"2\"\n\n"), comeback(Comeback::Return)),
            (format!("t\n{when}\n333\nb \"2\"\n\n"), comeback(Comeback::Token)),
            (format!("p\n{when}\n\n\n\n"), Change::Adopted),
            (format!("e\n{when}\n\nmax_lifetime\n\n"), Change::Terminated(EndReason::MaxLifetime)),
            (format!("f\n{when}\n\ntoken_mismatch\napi\n"), refused),
        ] {
            assert_eq!(decode(7, &golden(&fields)).unwrap(), event(change), "{fields}");
        }
    }

    #[test]
    fn an_event_about_no_known_session_says_so() {
        let refused =
            Change::ReconnectRefused { outcome: ReconnectOutcome::InvalidToken, door: ReconnectDoor::Initialize };
        let nobody = SessionEvent { session: None, ..event(refused) };
        for text in [
            "f\n\n1757000000456\n\n\ninvalid_token\ninitialize\n",
            "f\nAAAAAAAAAAAAAAAA\n1757000000456\n\n\ninvalid_token\ninitialize\n",
        ] {
            assert_eq!(decode(7, text.as_bytes()).unwrap(), nobody);
        }
        let damaged =
            decode(7, b"d\nAAAAAAAAAAAAAAAA\n1757000000456\n1757000000123\n\n\n\n\x01Abcdefghijklmn{").unwrap();
        assert_eq!(damaged, SessionEvent { session: None, ..event(Change::Disconnected) });
    }

    #[test]
    fn what_a_newer_version_writes_is_told_from_rubbish() {
        let kind = |text: &[u8]| decode(7, text).unwrap_err().kind();
        assert_eq!(kind(&golden("z\nAAAAAAAAAAAAAAAA\n1\n1\n\n\n\n")), StoreErrorKind::NewerFormat);
        assert_eq!(kind(b"o\nAAAAAAAAAAAAAAAA\n1\n1\n\n\n\n\x02"), StoreErrorKind::NewerFormat);
        assert_eq!(kind(&golden("e\nAAAAAAAAAAAAAAAA\n1\n1\n\nbored\n\n")), StoreErrorKind::NewerFormat);
        assert_eq!(kind(b"o\nAAAAAAAAAAAAAAAA\nnoon\n1\n\n\n\n"), StoreErrorKind::Corrupt);
    }

    #[test]
    fn a_published_event_says_where_it_stands() {
        let text = "3 1757000000456000 7-1757000000456001\no\nAAAAAAAAAAAAAAAA\n1757000000456\n1757000000123\n\n\n\n";
        let epoch = Epoch::parse("1757000000456000").unwrap();
        let expected = EventSignal::Event { part: 3, epoch, event: Box::new(event(Change::Created)) };
        assert_eq!(Heard::decode(&golden(text)).map(EventSignal::from), Some(expected));
        for unknown in ["", "3", "3 1757000000456000 7\n", "3 1757000000456000 7-1\nz\n", "x y z\n"] {
            assert_eq!(Heard::decode(unknown.as_bytes()), None, "{unknown}");
        }
    }
}
