//! The value a session's record is kept as, format 1. One plain `GET` brings all that a verdict needs.
//!
//! | bytes | what |
//! |---|---|
//! | 0 | format version: 1 |
//! | 1 | status: `A` active, `D` disconnected; patched in place by the scripts |
//! | 2..6 | generation, big-endian; one more with each reconnect, and with the adoption |
//! | 6..14 | created at, ms since the epoch, big-endian |
//! | 14..46 | digest of the secret; a reconnect replaces it and what follows |
//! | 46.. | [`SessionOrigin`] as JSON |
//!
//! A revival on another replica, and an adoption, rewrite the JSON in Lua, which keeps unknown fields of strings, booleans, objects
//! and numbers of 14 digits.
//!
//! A value whose first byte is greater was written by a newer version: it is neither read nor written here.

use crate::event::SessionView;
use crate::id::{SecretDigest, SessionKey};
use crate::session::{SessionOrigin, SessionRecord, SessionStatus, Timestamp};
use crate::store::{StoreError, StoreErrorKind};

const FORMAT: u8 = 1;
const HEAD: usize = 14;
const DIGEST: usize = 32;

/// What stands before created-at in a new session's record. The store's clock is put in by the script.
pub(super) const NEW_HEAD: [u8; 6] = [FORMAT, b'A', 0, 0, 0, 0];

/// What stands after created-at.
pub(super) fn tail(digest: &SecretDigest, origin: &SessionOrigin) -> Result<Vec<u8>, StoreError> {
    let mut tail = digest.as_bytes().to_vec();
    serde_json::to_writer(&mut tail, origin).map_err(|e| StoreError::new(StoreErrorKind::Misconfigured, e))?;
    Ok(tail)
}

/// Reads a record.
pub(super) fn decode(key: SessionKey, value: &[u8]) -> Result<SessionRecord, StoreError> {
    let (head, rest) = Head::split_from(value)?;
    let (digest, origin) = rest.split_first_chunk::<DIGEST>().ok_or_else(cut_short)?;
    Ok(SessionRecord {
        key,
        digest: SecretDigest::from_bytes(*digest),
        generation: head.generation,
        status: head.status,
        created_at: head.created_at,
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
        assert_eq!(decode(key(), &golden()).unwrap(), expected());
    }

    #[test]
    fn golden_bytes_of_an_adopted_session_decode() {
        let mut bytes = golden();
        bytes.pop();
        bytes.extend(br#","a":257}"#);
        let mut adopted = expected();
        adopted.origin.adopted = Some(257);
        assert_eq!(decode(key(), &bytes).unwrap(), adopted);
        assert_eq!(adopted.reconnect_count(), 257, "one of its 258 generations began with the adoption");
    }

    #[test]
    fn a_new_session_is_written_in_format_1() {
        let SessionRecord { digest, origin, .. } = expected();
        assert_eq!(NEW_HEAD, [1, b'A', 0, 0, 0, 0]);
        assert_eq!(tail(&digest, &origin).unwrap(), golden()[14..]);
    }

    #[test]
    fn a_newer_format_is_told_from_rubbish() {
        let kind = |value: &[u8]| decode(key(), value).unwrap_err().kind();
        assert_eq!(kind(&[2]), StoreErrorKind::NewerFormat);
        assert_eq!(kind(b""), StoreErrorKind::Corrupt);
        assert_eq!(kind(&[0; 60]), StoreErrorKind::Corrupt);
        assert_eq!(kind(&golden()[..45]), StoreErrorKind::Corrupt);
        assert_eq!(kind(&golden()[..60]), StoreErrorKind::Corrupt);
    }
}
