//! The value a session's record is kept as, format 1. One plain `GET` brings all that a verdict needs.
//!
//! | bytes | what |
//! |---|---|
//! | 0 | format version: 1 |
//! | 1 | status: `A` active, `D` disconnected; patched in place by the scripts |
//! | 2..6 | generation, big-endian; one more with each reconnect, and with the adoption |
//! | 6..14 | created at, ms since the epoch, big-endian |
//! | 14..46 | digest of the secret; a reconnect replaces it and what follows |
//! | 46.. | [`SessionOrigin`] as JSON; the member `l` beside it holds the session's [`Lifetimes`], if it has any of its own |
//!
//! A revival on another replica, and an adoption, rewrite the JSON in Lua, which keeps unknown fields of strings, booleans, objects
//! and numbers of 14 digits.
//!
//! A value whose first byte is greater was written by a newer version: it is neither read nor written here.

use memchr::memmem;

use crate::event::SessionView;
use crate::id::{SecretDigest, SessionKey};
use crate::session::{SessionOrigin, SessionRecord, SessionStatus, Timestamp};
use crate::store::{Lifetimes, StoreError, StoreErrorKind};

const FORMAT: u8 = 1;
const HEAD: usize = 14;
const DIGEST: usize = 32;
const OF_LIFETIMES: &str = "\"l\":\"";

/// What stands before created-at in a new session's record. The store's clock is put in by the script.
pub(super) const NEW_HEAD: [u8; 6] = [FORMAT, b'A', 0, 0, 0, 0];

/// What stands after created-at in a new session's record.
pub(super) fn new_tail(
    digest: &SecretDigest,
    origin: &SessionOrigin,
    lifetimes: &Lifetimes,
) -> Result<Vec<u8>, StoreError> {
    let mut tail = tail(digest, origin)?;
    tail.pop();
    tail.extend_from_slice(format!(",{OF_LIFETIMES}{}\"}}", lifetimes.to_text()).as_bytes());
    Ok(tail)
}

/// The lifetimes that stand in a record; `None` where a version wrote it that knew none.
pub(super) fn lifetimes(value: &[u8]) -> Option<Lifetimes> {
    // Nothing else can look like the member: within a string its quotes would be escaped.
    let json = value.get(HEAD + DIGEST..)?;
    let start = memmem::find(json, OF_LIFETIMES.as_bytes())? + OF_LIFETIMES.len();
    let end = start + json[start..].iter().position(|byte| *byte == b'"')?;
    Lifetimes::parse(std::str::from_utf8(&json[start..end]).ok()?)
}

/// What stands after created-at, without lifetimes: a reconnect leaves those as they are.
pub(super) fn tail(digest: &SecretDigest, origin: &SessionOrigin) -> Result<Vec<u8>, StoreError> {
    let mut tail = digest.as_bytes().to_vec();
    serde_json::to_writer(&mut tail, origin).map_err(|e| StoreError::new(StoreErrorKind::Misconfigured, e))?;
    Ok(tail)
}

/// Reads a record; its [`lifetimes`] are the caller's to find.
pub(super) fn decode(key: SessionKey, value: &[u8], lifetimes: Lifetimes) -> Result<SessionRecord, StoreError> {
    let (head, rest) = Head::split_from(value)?;
    let (digest, origin) = rest.split_first_chunk::<DIGEST>().ok_or_else(cut_short)?;
    Ok(SessionRecord {
        key,
        digest: SecretDigest::from_bytes(*digest),
        generation: head.generation,
        status: head.status,
        created_at: head.created_at,
        lifetimes,
        origin: read_origin(origin)?,
    })
}

/// Reads a record that lacks the digest, as events have it.
pub(super) fn decode_shown(key: SessionKey, value: &[u8], last_seen: Timestamp) -> Result<SessionView, StoreError> {
    let (Head { status, generation, created_at }, origin) = Head::split_from(value)?;
    let origin = read_origin(origin)?;
    let reconnect_count = origin.reconnects_until(generation);
    Ok(SessionView { key, status, reconnect_count, created_at, last_seen, origin })
}

/// What stands before the digest.
struct Head {
    status: SessionStatus,
    generation: u32,
    created_at: Timestamp,
}

impl Head {
    fn split_from(value: &[u8]) -> Result<(Self, &[u8]), StoreError> {
        match value.first() {
            Some(&FORMAT) => {}
            Some(&format) if format > FORMAT => return Err(StoreErrorKind::NewerFormat.into()),
            _ => return Err(corrupt("a record without a format version")),
        }
        let (head, rest) = value.split_first_chunk::<HEAD>().ok_or_else(cut_short)?;
        let [_, status, a, b, c, d, created_at @ ..] = *head;
        let generation = u32::from_be_bytes([a, b, c, d]);
        let created_at = Timestamp(u64::from_be_bytes(created_at));
        Ok((Self { status: read_status(status)?, generation, created_at }, rest))
    }
}

fn read_origin(json: &[u8]) -> Result<SessionOrigin, StoreError> {
    serde_json::from_slice(json).map_err(|e| StoreError::new(StoreErrorKind::Corrupt, e))
}

fn read_status(letter: u8) -> Result<SessionStatus, StoreError> {
    match letter {
        b'A' => Ok(SessionStatus::Active),
        b'D' => Ok(SessionStatus::Disconnected),
        _ => Err(corrupt("a record with a status of its own")),
    }
}

fn cut_short() -> StoreError {
    corrupt("a record that is cut short")
}

fn corrupt(what: &'static str) -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::version::ProtocolVersion;
    use crate::session::ClientInfo;

    /// What version 0.1.0 wrote. These bytes never change; a new format gets a test of its own.
    fn golden() -> Vec<u8> {
        let mut bytes = vec![1, b'D', 0, 0, 1, 2, 0, 0, 1, 0x99, 0x1f, 0x2e, 0x3d, 0x4c];
        bytes.extend((0..32).map(|i| 0xe0 | i));
        bytes.extend(br#"{"v":"2025-11-25","c":{"name":"cursor","version":"1.2"},"p":"alice","r":"a-1","i":true}"#);
        bytes
    }

    fn key() -> SessionKey {
        SessionKey::parse("AAAAAAAAAAAAAAAA").unwrap()
    }

    fn expected() -> SessionRecord {
        SessionRecord {
            key: key(),
            digest: SecretDigest::from_bytes(std::array::from_fn(|i| 0xe0 | u8::try_from(i).unwrap())),
            generation: 258,
            status: SessionStatus::Disconnected,
            created_at: Timestamp(0x0199_1f2e_3d4c),
            lifetimes: Lifetimes::default(),
            origin: SessionOrigin {
                protocol_version: ProtocolVersion::V2025_11_25,
                client: ClientInfo { name: "cursor".into(), version: "1.2".into() },
                principal: Some("alice".into()),
                replica: "a-1".into(),
                adopted: None,
                inner_has_sessions: true,
            },
        }
    }

    #[test]
    fn golden_bytes_of_format_1_decode() {
        assert_eq!(decode(key(), &golden(), Lifetimes::default()).unwrap(), expected());
        assert_eq!(lifetimes(&golden()), None);
    }

    /// What later ones write: the same, with lifetimes.
    fn golden_with_lifetimes() -> Vec<u8> {
        let mut bytes = golden();
        bytes.pop();
        bytes.extend(br#","l":"300000 86400000 - 60000 revive"}"#);
        bytes
    }

    #[test]
    fn lifetimes_are_found_wherever_they_stand() {
        assert_eq!(decode(key(), &golden_with_lifetimes(), Lifetimes::default()).unwrap(), expected());
        assert_eq!(lifetimes(&golden_with_lifetimes()), Some(Lifetimes::default()));
        let mut first = golden()[..46].to_vec();
        first.extend(
            br#"{"l":"1000 2000 3000 4000 reject","c":{"name":"\"l\":\"x"},"v":"2025-11-25","r":"a","i":true}"#,
        );
        let own = lifetimes(&first).expect("they stand there");
        assert_eq!(own.to_text(), "1000 2000 3000 4000 reject");
        assert_eq!(decode(key(), &first, own).unwrap().lifetimes, own);
        let mut claimed = golden()[..46].to_vec();
        claimed.extend(br#"{"v":"2025-11-25","c":{"name":"\"l\":\"1 1 - 1 reject"},"r":"a","i":true}"#);
        assert_eq!(lifetimes(&claimed), None, "a client's name is no lifetime");
    }

    #[test]
    fn golden_bytes_of_an_adopted_session_decode() {
        let mut bytes = golden();
        bytes.pop();
        bytes.extend(br#","a":257}"#);
        let mut adopted = expected();
        adopted.origin.adopted = Some(257);
        assert_eq!(decode(key(), &bytes, Lifetimes::default()).unwrap(), adopted);
        assert_eq!(adopted.reconnect_count(), 257, "one of its 258 generations began with the adoption");
    }

    #[test]
    fn a_new_session_is_written_in_format_1() {
        let SessionRecord { digest, origin, .. } = expected();
        assert_eq!(NEW_HEAD, [1, b'A', 0, 0, 0, 0]);
        assert_eq!(tail(&digest, &origin).unwrap(), golden()[14..]);
        let new = new_tail(&digest, &origin, &Lifetimes::default()).unwrap();
        assert_eq!(new, golden_with_lifetimes()[14..]);
    }

    #[test]
    fn a_newer_format_is_told_from_rubbish() {
        let kind = |value: &[u8]| decode(key(), value, Lifetimes::default()).unwrap_err().kind();
        assert_eq!(kind(&[2]), StoreErrorKind::NewerFormat);
        assert_eq!(kind(b""), StoreErrorKind::Corrupt);
        assert_eq!(kind(&[0; 60]), StoreErrorKind::Corrupt);
        assert_eq!(kind(&golden()[..45]), StoreErrorKind::Corrupt);
        assert_eq!(kind(&golden()[..60]), StoreErrorKind::Corrupt);
    }
}
