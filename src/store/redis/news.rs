//! [`BusMessage`]s as the scripts publish them: a letter, the session's key and what the kind adds, with blanks between.
//!
//! | text | message |
//! |---|---|
//! | `o KEY` | opened |
//! | `d KEY` | disconnected |
//! | `r KEY` | revived |
//! | `g KEY GENERATION` | reconnected |
//! | `p KEY GENERATION` | adopted by a principal |
//! | `e KEY REASON` | ended |
//! | `a KEY STREAM` | appended |
//! | `l KEY REPLICA` | listening |
//! | `i KEY` | mail |

use crate::id::SessionKey;
use crate::session::EndReason;
use crate::store::{BusMessage, ReplicaId, StreamName};

/// Reads a message; `None` for one that this version does not know. Newer replicas may say more.
pub(super) fn decode(text: &[u8]) -> Option<BusMessage> {
    let mut words = std::str::from_utf8(text).ok()?.split(' ');
    let (kind, key) = (words.next()?, SessionKey::parse(words.next()?)?);
    match kind {
        "o" => Some(BusMessage::Opened(key)),
        "d" => Some(BusMessage::Disconnected(key)),
        "r" => Some(BusMessage::Revived(key)),
        "g" => Some(BusMessage::Reconnected(key, words.next()?.parse().ok()?)),
        "p" => Some(BusMessage::Adopted(key, words.next()?.parse().ok()?)),
        "e" => Some(BusMessage::Ended(key, EndReason::parse(words.next()?)?)),
        "a" => Some(BusMessage::Appended(key, StreamName::parse(words.next()?)?)),
        "l" => Some(BusMessage::Listening(key, ReplicaId::parse(words.next()?)?)),
        "i" => Some(BusMessage::Mail(key)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_scripts_say_is_understood_and_the_rest_ignored() {
        let key = SessionKey::parse("AAAAAAAAAAAAAAAA").unwrap();
        let replica = ReplicaId::parse("a-_b1234").unwrap();
        let decode = |text: &str| decode(text.as_bytes());
        assert_eq!(decode("o AAAAAAAAAAAAAAAA"), Some(BusMessage::Opened(key)));
        assert_eq!(decode("d AAAAAAAAAAAAAAAA"), Some(BusMessage::Disconnected(key)));
        assert_eq!(decode("r AAAAAAAAAAAAAAAA"), Some(BusMessage::Revived(key)));
        assert_eq!(decode("g AAAAAAAAAAAAAAAA 258"), Some(BusMessage::Reconnected(key, 258)));
        assert_eq!(decode("p AAAAAAAAAAAAAAAA 1"), Some(BusMessage::Adopted(key, 1)));
        assert_eq!(decode("e AAAAAAAAAAAAAAAA expired"), Some(BusMessage::Ended(key, EndReason::Expired)));
        assert_eq!(decode("l AAAAAAAAAAAAAAAA a-_b1234"), Some(BusMessage::Listening(key, replica)));
        assert_eq!(decode("i AAAAAAAAAAAAAAAA"), Some(BusMessage::Mail(key)));
        let stream = StreamName::parse("p/1").unwrap();
        assert_eq!(decode("a AAAAAAAAAAAAAAAA p/1"), Some(BusMessage::Appended(key, stream)));
        for unknown in [
            "",
            "probe",
            "o",
            "o short",
            "e AAAAAAAAAAAAAAAA",
            "e AAAAAAAAAAAAAAAA bored",
            "g AAAAAAAAAAAAAAAA",
            "g AAAAAAAAAAAAAAAA -1",
            "p AAAAAAAAAAAAAAAA",
            "l AAAAAAAAAAAAAAAA",
            "l AAAAAAAAAAAAAAAA short",
            "z AAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(decode(unknown), None, "{unknown}");
        }
    }
}
