//! Event ids: which stream, and how far.
//!
//! `STREAM.POSITION` for the stream of a call, whose name tells the replica that produces it; `listen.KEY.LISTENER.POSITION`
//! for the listening stream, which tells the session's key, so that it means nothing in another session.

use crate::id::SessionKey;
use crate::store::{ListenCursor, ReplicaId, StreamName};

/// What a client sends as `Last-Event-ID`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cursor {
    Call { stream: StreamName, position: u64 },
    Listen(SessionKey, ListenCursor),
}

impl Cursor {
    /// Reads an event id; `None` for one that was never given out.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (stream, position) = text.rsplit_once('.')?;
        let position = number(position)?;
        match stream.strip_prefix("listen.") {
            Some(of) => {
                let (key, listener) = of.split_once('.')?;
                let listener = number(listener).filter(|listener| *listener > 0)?;
                Some(Self::Listen(SessionKey::parse(key)?, ListenCursor { listener, position }))
            }
            None => {
                let stream = StreamName::parse(stream)?;
                producer(&stream).is_some().then_some(Self::Call { stream, position })
            }
        }
    }
}

/// The canonical spelling only, so that a cursor has one.
fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text && number <= 1 << 53).then_some(number)
}

/// What stands before the position in a stream's event ids.
pub(crate) fn of_listener(key: &SessionKey, listener: u64) -> String {
    format!("listen.{key}.{listener}")
}

/// The name of the stream of a call, the `number`th of this replica.
pub(crate) fn of_call(replica: &ReplicaId, number: u64) -> StreamName {
    StreamName::parse(&format!("{replica}-{number}")).expect("an id and a number are a name")
}

/// The replica that produces the stream of a call.
pub(crate) fn producer(stream: &StreamName) -> Option<ReplicaId> {
    let (replica, number) = stream.as_str().split_at_checked(ReplicaId::CHARS)?;
    number.strip_prefix('-').and_then(|number| number.parse::<u64>().ok())?;
    ReplicaId::parse(replica)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_given_out() {
        let replica = ReplicaId::parse("Ab-_0189").unwrap();
        let stream = of_call(&replica, 7);
        assert_eq!(producer(&stream), Some(replica));
        assert_eq!(Cursor::parse(&format!("{}.12", stream.as_str())), Some(Cursor::Call { stream, position: 12 }));
        let key = SessionKey::parse("AAAAAAAAAAAAAAA-").unwrap();
        let cursor = ListenCursor { listener: 3, position: 0 };
        assert_eq!(Cursor::parse(&format!("{}.0", of_listener(&key, 3))), Some(Cursor::Listen(key, cursor)));
    }

    #[test]
    fn what_was_never_given_out_is_no_cursor() {
        for text in [
            "",
            "7",
            ".7",
            "x.7",
            "listen.7",
            "listen.AAAAAAAAAAAAAAAA.7",
            "listen.AAAAAAAAAAAAAAAA.0.7",
            "listen.short.1.7",
            "AAAAAAAA-1.07",
            "AAAAAAAA-1.-7",
            "AAAAAAAA-1.18446744073709551615",
            "AAAAAAAA-x.1",
            "AAAAAAAA1.1",
            "ÄÄÄÄAAAA-1.1",
        ] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }
}
