//! One shallow look at a JSON-RPC body: what kind of message it is, its id and method, and which era it claims.
//!
//! The look never copies or changes the body: the inner service receives the bytes that were judged. Field names are
//! matched in their exact case and a repeated field is an error, so that no two readers can disagree about a message.

use std::sync::Arc;

use serde::de::{Deserializer, IgnoredAny};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::protocol::map_or::MapOr;
pub(crate) use crate::protocol::method::Method;

/// A JSON-RPC request id exactly as its sender wrote it, to be echoed byte for byte.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(Arc<str>);

impl RequestId {
    /// Longest id echoed; nobody needs more, and an error answer must stay small.
    const MAX_LEN: usize = 256;

    /// As it stands in JSON.
    pub(crate) fn as_json(&self) -> &str {
        &self.0
    }

    /// An id kept as JSON text before.
    pub(crate) fn from_json(text: &[u8]) -> Option<Self> {
        serde_json::from_slice::<&RawValue>(text).ok().and_then(Self::read)
    }

    /// The text of a string id; numbers have none.
    pub(crate) fn text(&self) -> Option<String> {
        serde_json::from_str(&self.0).ok()
    }

    /// Strings and numbers are ids (MCP forbids `null`).
    fn read(raw: &RawValue) -> Option<Self> {
        let text = raw.get();
        let scalar = text.starts_with(|c: char| c == '"' || c == '-' || c.is_ascii_digit());
        (scalar && text.len() <= Self::MAX_LEN).then(|| Self(text.into()))
    }
}

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// What a single JSON-RPC object is.
#[derive(Debug)]
pub(crate) enum Kind {
    /// `method` and `id`.
    Request { id: RequestId, method: Method },
    /// `method` alone.
    Notification(Method),
    /// `result` or `error`: a question is answered. An error may name no request.
    Response(Option<RequestId>),
}

/// A single JSON-RPC object, looked at.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) kind: Kind,
    /// `params._meta` names a protocol version: the mark of a modern request, whatever its value.
    pub(crate) claims_modern: bool,
}

impl Envelope {
    pub(crate) fn is_initialize(&self) -> bool {
        matches!(&self.kind, Kind::Request { method: Method::Initialize, .. })
    }
}

/// A POST body, looked at.
#[derive(Debug)]
pub(crate) enum Payload {
    Single(Envelope),
    /// At least one message; only revision 2025-03-26 has batches.
    Batch(Vec<Envelope>),
}

/// Why a body is no JSON-RPC payload.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// Not JSON at all.
    NotJson,
    /// JSON, but no message; the text says what is wrong.
    NotAMessage(&'static str),
    /// More messages in one batch than allowed.
    BatchTooLong,
}

/// Looks at a body, allowing at most `max_batch` messages in a batch.
pub(crate) fn read(body: &[u8], max_batch: usize) -> Result<Payload, Malformed> {
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => read_single(body).map(Payload::Single),
        Some(b'[') => read_batch(body, max_batch).map(Payload::Batch),
        _ if serde_json::from_slice::<IgnoredAny>(body).is_ok() => {
            Err(Malformed::NotAMessage("a JSON-RPC message is an object"))
        }
        _ => Err(Malformed::NotJson),
    }
}

fn read_batch(body: &[u8], max_batch: usize) -> Result<Vec<Envelope>, Malformed> {
    let items: Vec<&RawValue> = serde_json::from_slice(body).map_err(|_| Malformed::NotJson)?;
    match items.len() {
        0 => Err(Malformed::NotAMessage("a batch holds at least one message")),
        len if len > max_batch => Err(Malformed::BatchTooLong),
        _ => items.iter().map(|item| read_item(item)).collect(),
    }
}

fn read_item(item: &RawValue) -> Result<Envelope, Malformed> {
    if item.get().starts_with('{') {
        read_single(item.get().as_bytes())
    } else {
        Err(Malformed::NotAMessage("every message of a batch is an object"))
    }
}

fn read_single(body: &[u8]) -> Result<Envelope, Malformed> {
    let fields: Fields<'_> = serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            Malformed::NotAMessage("`id`, `method` or `params` is repeated or of the wrong type")
        }
        _ => Malformed::NotJson,
    })?;
    Ok(Envelope { kind: fields.kind()?, claims_modern: fields.params.map.meta.map.version.0 })
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    method: Option<Method>,
    #[serde(default)]
    params: MapOr<Params>,
    #[serde(default)]
    result: Present,
    #[serde(default)]
    error: Present,
}

impl Fields<'_> {
    fn kind(&self) -> Result<Kind, Malformed> {
        let answers = self.result.0 || self.error.0;
        match (&self.method, self.id, answers) {
            (Some(method), None, false) => Ok(Kind::Notification(*method)),
            (Some(method), Some(id), false) => {
                let id = RequestId::read(id)
                    .ok_or(Malformed::NotAMessage("`id` must be a string or a number of at most 256 characters"))?;
                Ok(Kind::Request { id, method: *method })
            }
            (None, Some(id), true) => Ok(Kind::Response(RequestId::read(id))),
            (None, None, true) => Err(Malformed::NotAMessage("a response needs the `id` it answers")),
            (Some(_), _, true) => Err(Malformed::NotAMessage("a message has `method` or `result`/`error`, not both")),
            (None, _, false) => Err(Malformed::NotAMessage("a message needs `method`, `result` or `error`")),
        }
    }
}

/// A plain `Option` would read `"id": null` as absent; this keeps the difference.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

#[derive(Default, Deserialize)]
struct Params {
    #[serde(rename = "_meta", default)]
    meta: MapOr<Meta>,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion", default)]
    version: Present,
}

/// True where a field stands at all, `null` included.
#[derive(Default)]
struct Present(bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self(true))
    }
}

/// Whether a message of the inner service is a response: the last one its request gets.
pub(crate) fn is_response(message: &[u8]) -> bool {
    matches!(kind(message), Some(Kind::Response(_)))
}

/// Whether a message is a response that tells of success.
pub(crate) fn is_result(message: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Outcome {
        #[serde(default)]
        result: Present,
    }
    serde_json::from_slice::<Outcome>(message).is_ok_and(|outcome| outcome.result.0)
}

/// What a single message is; `None` if it is none.
pub(crate) fn kind(message: &[u8]) -> Option<Kind> {
    read_single(message).ok().map(|envelope| envelope.kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn single(body: &str) -> Result<Envelope, Malformed> {
        match read(body.as_bytes(), 100)? {
            Payload::Single(envelope) => Ok(envelope),
            Payload::Batch(_) => panic!("a batch: {body}"),
        }
    }

    #[test]
    fn the_three_kinds_are_told_apart() {
        let request = single(r#" {"jsonrpc":"2.0","id":7,"method":"tools/call"}"#).unwrap();
        assert!(matches!(&request.kind, Kind::Request { id, method: Method::ToolsCall } if &*id.0 == "7"));
        let notification = single(r#"{"method":"notifications/initialized"}"#).unwrap();
        assert!(matches!(notification.kind, Kind::Notification(Method::Initialized)));
        for response in [r#"{"id":0,"result":null}"#, r#"{"id":"x","error":{"code":1,"message":""}}"#] {
            assert!(matches!(single(response).unwrap().kind, Kind::Response(Some(_))), "{response}");
        }
    }

    #[test]
    fn a_modern_claim_is_seen_however_it_is_spelt() {
        let claims =
            |params: &str| single(&format!(r#"{{"id":1,"method":"x","params":{params}}}"#)).unwrap().claims_modern;
        assert!(claims(r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#));
        assert!(claims(r#"{"a":[1,{}],"\u005fmeta":{"io.modelcontextprotocol\/protocolVersion":null}}"#));
        assert!(!claims(r#"{"_meta":{"progressToken":1}}"#));
        for other in ["[1,2]", "null", "3", "-3", "0.5", "\"s\"", "true", r#"{"_meta":[]}"#] {
            assert!(!claims(other), "{other}");
        }
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for body in [
            r#"{"id":1,"id":2,"method":"x"}"#,
            r#"{"id":1,"method":"x","method":"initialize"}"#,
            r#"{"id":1,"Method":"initialize"}"#,
            r#"{"id":1,"method":"x","params":{"_meta":{},"_meta":{}}}"#,
            r#"{"id":null,"method":"x"}"#,
            r#"{"id":{},"method":"x"}"#,
            r#"{"id":1,"method":"x","result":{}}"#,
            r#"{"id":1,"method":5}"#,
            r#"{"result":{}}"#,
            "{}",
            "5",
            "[]",
            "[[]]",
        ] {
            assert!(matches!(read(body.as_bytes(), 100), Err(Malformed::NotAMessage(_))), "{body}");
        }
        for body in ["", "{", r#"{"id":1,"method":"x"} x"#, "not json", "[{]"] {
            assert_eq!(read(body.as_bytes(), 100).unwrap_err(), Malformed::NotJson, "{body}");
        }
    }

    #[test]
    fn depth_and_length_of_a_body_do_no_harm() {
        let deep = format!(r#"{{"id":1,"method":"x","params":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        let _ = read(deep.as_bytes(), 100);
        let long = format!("[{}]", vec![r#"{"method":"x"}"#; 10_000].join(","));
        assert_eq!(read(long.as_bytes(), 100).unwrap_err(), Malformed::BatchTooLong);
    }
}
