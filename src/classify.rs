//! What a request is, decided from its head and one shallow look at its body. Pure functions; `service` acts on the answer.
//!
//! The order is that of MCP 2026-07-28 for servers of both eras: a modern version in the header or in the body's `_meta`
//! makes a request modern, whatever else it carries; everything else is legacy.

use http::request::Parts;

use crate::id::SessionId;
use crate::protocol::headers::{self, Single, single};
use crate::protocol::message::{Envelope, Kind, Malformed, Method, Payload, RequestId};
use crate::protocol::version::ProtocolVersion;
use crate::rejection::Rejection;

/// What the head alone says.
#[derive(Debug)]
pub(crate) enum Head {
    /// A modern request, or an OPTIONS: straight through.
    PassThrough,
    /// A legacy POST, as far as the head can tell; its body decides.
    Post(Declared),
    /// A legacy GET: listen, or resume.
    Listen(Declared),
    /// A legacy DELETE: end the session.
    Close(Declared),
}

/// What `MCP-Protocol-Version` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Declared {
    /// The header is missing: the session's own version counts.
    Nothing,
    /// A revision with sessions, or another earlier date, which only a session that negotiated it may name.
    Legacy(ProtocolVersion),
    /// A revision without sessions.
    Modern,
    /// No version at all, or several.
    Unsupported,
}

/// What a legacy POST turned out to be.
#[derive(Debug)]
pub(crate) enum Post {
    /// Modern after all, by its body.
    PassThrough,
    /// `initialize`.
    Handshake(RequestId),
    /// A message of a session, or several.
    Message(Message),
}

/// What a session's POST carries.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) content: Content,
    pub(crate) declared: Declared,
}

/// The message itself.
#[derive(Debug)]
pub(crate) enum Content {
    Single(Kind),
    /// Several, in their order.
    Batch(Vec<Kind>),
}

impl Message {
    /// The request to answer; `None` for notifications, responses and batches.
    pub(crate) fn id(&self) -> Option<&RequestId> {
        match &self.content {
            Content::Single(Kind::Request { id, .. }) => Some(id),
            Content::Single(Kind::Notification(_) | Kind::Response(_)) | Content::Batch(_) => None,
        }
    }

    pub(crate) fn is_ping(&self) -> bool {
        matches!(self.content, Content::Single(Kind::Request { method: Method::Ping, .. }))
    }

    pub(crate) fn is_batch(&self) -> bool {
        matches!(self.content, Content::Batch(_))
    }
}

/// Judges the head.
pub(crate) fn head(parts: &Parts) -> Result<Head, Rejection> {
    let declared = declared_version(parts);
    match (&parts.method, declared) {
        (&http::Method::OPTIONS, _)
        | (&http::Method::GET | &http::Method::POST | &http::Method::DELETE, Declared::Modern) => Ok(Head::PassThrough),
        (&http::Method::POST, declared) => Ok(Head::Post(declared)),
        (&http::Method::GET | &http::Method::DELETE, Declared::Unsupported) => Err(Rejection::UnsupportedVersion),
        (&http::Method::GET, Declared::Nothing | Declared::Legacy(_)) => Ok(Head::Listen(declared)),
        (&http::Method::DELETE, Declared::Nothing | Declared::Legacy(_)) => Ok(Head::Close(declared)),
        (_, _) => Err(Rejection::MethodNotAllowed),
    }
}

/// Judges the body of a POST whose head is legacy.
pub(crate) fn post(
    declared: Declared,
    payload: Result<Payload, Malformed>,
) -> Result<Post, (Rejection, Option<RequestId>)> {
    match payload {
        Ok(Payload::Single(envelope)) => single_message(declared, envelope),
        Ok(Payload::Batch(batch)) => batch_message(declared, batch).map_err(|rejection| (rejection, None)),
        Err(Malformed::NotJson) => Err((Rejection::NotJson, None)),
        Err(Malformed::NotAMessage(why)) => Err((Rejection::NotAMessage(why), None)),
        Err(Malformed::BatchTooLong) => {
            Err((Rejection::BatchRefused("The batch has more messages than this server accepts"), None))
        }
    }
}

fn single_message(declared: Declared, envelope: Envelope) -> Result<Post, (Rejection, Option<RequestId>)> {
    if envelope.claims_modern {
        return Ok(Post::PassThrough);
    }
    match (envelope.kind, declared) {
        (Kind::Request { id, .. }, Declared::Unsupported) => Err((Rejection::UnsupportedVersion, Some(id))),
        (_, Declared::Unsupported) => Err((Rejection::UnsupportedVersion, None)),
        (Kind::Request { id, method: Method::Initialize }, _) => Ok(Post::Handshake(id)),
        (kind, declared) => Ok(Post::Message(Message { content: Content::Single(kind), declared })),
    }
}

fn batch_message(declared: Declared, batch: Vec<Envelope>) -> Result<Post, Rejection> {
    if declared == Declared::Unsupported {
        return Err(Rejection::UnsupportedVersion);
    }
    if batch.iter().any(Envelope::is_initialize) {
        return Err(Rejection::BatchRefused("initialize must not stand in a batch"));
    }
    if batch.iter().any(|envelope| envelope.claims_modern) {
        return Err(Rejection::BatchRefused(
            "A batch cannot carry messages of 2026-07-28 or later; send them one by one",
        ));
    }
    let kinds = batch.into_iter().map(|envelope| envelope.kind).collect();
    Ok(Post::Message(Message { content: Content::Batch(kinds), declared }))
}

/// Whether a session of `negotiated` accepts what its request declares and carries.
pub(crate) fn fits(negotiated: ProtocolVersion, declared: Declared, is_batch: bool) -> Result<(), Rejection> {
    let version_fits = match declared {
        Declared::Nothing => true,
        Declared::Legacy(version) => version.is_known_legacy() || version == negotiated,
        Declared::Modern | Declared::Unsupported => false,
    };
    match (version_fits, is_batch && negotiated != ProtocolVersion::V2025_03_26) {
        (false, _) => Err(Rejection::UnsupportedVersion),
        (true, true) => {
            Err(Rejection::BatchRefused("Only sessions of 2025-03-26 have batches; send the messages one by one"))
        }
        (true, false) => Ok(()),
    }
}

/// Reads `MCP-Protocol-Version`.
fn declared_version(parts: &Parts) -> Declared {
    match single(&parts.headers, &headers::PROTOCOL_VERSION) {
        Single::Absent => Declared::Nothing,
        Single::One(value) => match ProtocolVersion::parse(value.as_bytes()) {
            Some(version) if version.is_modern() => Declared::Modern,
            Some(version) => Declared::Legacy(version),
            None => Declared::Unsupported,
        },
        Single::Several => Declared::Unsupported,
    }
}

/// Reads `Mcp-Session-Id`. A malformed id is an unknown one.
pub(crate) fn session_id(parts: &Parts) -> Result<SessionId, Rejection> {
    match single(&parts.headers, &headers::SESSION_ID) {
        Single::Absent => Err(Rejection::SessionIdMissing),
        Single::Several => Err(Rejection::SessionIdAmbiguous),
        Single::One(value) if value.is_empty() => Err(Rejection::SessionIdAmbiguous),
        Single::One(value) => SessionId::parse(value.as_bytes()).ok_or(Rejection::SessionNotFound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::message::read;
    use http::Request;

    fn parts(method: &str, version: &[&str]) -> Parts {
        let mut request = Request::builder().method(method);
        for version in version {
            request = request.header("mcp-protocol-version", *version);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn heads_are_told_apart() {
        assert!(matches!(head(&parts("POST", &["2026-07-28"])), Ok(Head::PassThrough)));
        assert!(matches!(head(&parts("GET", &["2027-01-01"])), Ok(Head::PassThrough)));
        assert!(matches!(head(&parts("OPTIONS", &[])), Ok(Head::PassThrough)));
        assert!(matches!(head(&parts("POST", &["2025-11-25"])), Ok(Head::Post(_))));
        assert!(matches!(head(&parts("POST", &["nonsense"])), Ok(Head::Post(_))), "its body may still be modern");
        assert!(matches!(head(&parts("GET", &[])), Ok(Head::Listen(_))));
        assert!(matches!(head(&parts("DELETE", &["2025-06-18"])), Ok(Head::Close(_))));
        assert_eq!(head(&parts("DELETE", &["nonsense"])).unwrap_err(), Rejection::UnsupportedVersion);
        assert_eq!(head(&parts("GET", &["2025-11-25", "2025-11-25"])).unwrap_err(), Rejection::UnsupportedVersion);
        for method in ["HEAD", "PUT", "PATCH", "TRACE"] {
            assert_eq!(head(&parts(method, &[])).unwrap_err(), Rejection::MethodNotAllowed, "{method}");
        }
    }

    fn judged(declared: Declared, body: &str) -> Result<Post, Rejection> {
        post(declared, read(body.as_bytes(), 2)).map_err(|(rejection, _)| rejection)
    }

    #[test]
    fn bodies_are_told_apart() {
        let modern =
            r#"{"id":1,"method":"initialize","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"x"}}}"#;
        assert!(matches!(judged(Declared::Unsupported, modern), Ok(Post::PassThrough)));
        let asks_for_modern = r#"{"id":1,"method":"initialize","params":{"protocolVersion":"2026-07-28"}}"#;
        assert!(matches!(judged(Declared::Nothing, asks_for_modern), Ok(Post::Handshake(_))));
        let notification_of_that_name = r#"{"method":"initialize"}"#;
        assert!(matches!(judged(Declared::Nothing, notification_of_that_name), Ok(Post::Message(_))));
        let call = r#"{"id":1,"method":"tools/call"}"#;
        assert!(matches!(
            judged(Declared::Nothing, call),
            Ok(Post::Message(Message { content: Content::Single(Kind::Request { .. }), .. }))
        ));
        assert_eq!(judged(Declared::Unsupported, call).unwrap_err(), Rejection::UnsupportedVersion);
        assert!(matches!(
            judged(Declared::Nothing, &format!("[{call}]")),
            Ok(Post::Message(Message { content: Content::Batch(_), .. }))
        ));
        for refused in [format!("[{asks_for_modern}]"), format!("[{modern}]"), format!("[{call},{call},{call}]")] {
            assert!(matches!(judged(Declared::Nothing, &refused), Err(Rejection::BatchRefused(_))), "{refused}");
        }
    }

    #[test]
    fn a_session_takes_the_versions_it_may_speak() {
        let old = ProtocolVersion::parse(b"2024-10-07").unwrap();
        let v11 = ProtocolVersion::V2025_11_25;
        assert_eq!(fits(v11, Declared::Nothing, false), Ok(()));
        for known in [ProtocolVersion::V2024_11_05, ProtocolVersion::V2025_03_26, ProtocolVersion::V2025_06_18] {
            assert_eq!(fits(v11, Declared::Legacy(known), false), Ok(()), "{known}");
        }
        assert_eq!(fits(v11, Declared::Legacy(old), false), Err(Rejection::UnsupportedVersion));
        assert_eq!(fits(old, Declared::Legacy(old), false), Ok(()));
        assert!(matches!(fits(v11, Declared::Nothing, true), Err(Rejection::BatchRefused(_))));
        assert_eq!(fits(ProtocolVersion::V2025_03_26, Declared::Nothing, true), Ok(()));
    }
}
