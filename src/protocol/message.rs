//! One shallow look at a JSON-RPC body: what kind of message it is, its id and method, and which era it claims.
//!
//! The look never copies or changes the body: the inner service receives the bytes that were judged. Field names are
//! matched in their exact case and a repeated field is an error, so that no two readers can disagree about a message.
//!
//! Some writers put every member a message might have, `null` where it has none: a `result` or `error` of `null` beside a
//! `method` is no answer.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};
use serde_json::value::RawValue;

use crate::protocol::map_or::MapOr;
pub(crate) use crate::protocol::method::Method;
use crate::protocol::names;
pub(crate) use crate::protocol::request_id::RequestId;

/// What a single JSON-RPC object is.
#[derive(Clone, Debug)]
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
    match names::may_be_escaped(body) {
        true => read_fields::<true>(body),
        false => read_fields::<false>(body),
    }
}

fn read_fields<const ESCAPED: bool>(body: &[u8]) -> Result<Envelope, Malformed> {
    let fields: Fields<'_, ESCAPED> = names::object_as::<_, ESCAPED>(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            Malformed::NotAMessage("`id`, `method` or `params` is repeated or of the wrong type")
        }
        _ => Malformed::NotJson,
    })?;
    Ok(Envelope { kind: fields.kind()?, claims_modern: fields.params.map.meta.map.version.0 })
}

/// What a single message of an inner service's is; `None` if it is none.
///
/// Where a client's message would be refused, an inner service's is read as well as may be: a `null` for an id that a
/// notification has not, and an error that does not say whose it is.
pub(crate) fn kind(message: &[u8]) -> Option<Kind> {
    let fields: Fields<'_, true> = names::object(message).ok()?;
    let id = fields.id.filter(|id| id.get() != "null");
    match (fields.method, id) {
        (None, None) => (fields.error == Member::Value).then_some(Kind::Response(None)),
        (Some(method), None) if !fields.answers() => Some(Kind::Notification(method)),
        (Some(method), Some(id)) if !fields.answers() => Some(Kind::Request { id: RequestId::read(id)?, method }),
        (Some(_), _) => None,
        (None, Some(id)) => fields.says_outcome().then(|| Kind::Response(RequestId::read(id))),
    }
}

/// The messages in an array of them; `None` if it is no array.
pub(crate) fn elements(json: &[u8]) -> Option<Vec<&RawValue>> {
    let is_array = json.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    is_array.then(|| serde_json::from_slice(json).ok())?
}

#[derive(Deserialize)]
struct Fields<'a, const ESCAPED: bool> {
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    method: Option<Method>,
    #[serde(default)]
    params: MapOr<Params<ESCAPED>, ESCAPED>,
    #[serde(default)]
    result: Member,
    #[serde(default)]
    error: Member,
}

impl<const ESCAPED: bool> Fields<'_, ESCAPED> {
    fn kind(&self) -> Result<Kind, Malformed> {
        match (&self.method, self.id) {
            (Some(_), _) if self.answers() => {
                Err(Malformed::NotAMessage("a message has `method` or `result`/`error`, not both"))
            }
            (Some(method), None) => Ok(Kind::Notification(*method)),
            (Some(method), Some(id)) => {
                let id = RequestId::read(id).ok_or(Malformed::NotAMessage("`id` must be a string or a number"))?;
                Ok(Kind::Request { id, method: *method })
            }
            (None, _) if !self.says_outcome() => {
                Err(Malformed::NotAMessage("a message needs `method`, `result` or `error`"))
            }
            (None, Some(id)) => Ok(Kind::Response(RequestId::read(id))),
            (None, None) => Err(Malformed::NotAMessage("a response needs the `id` it answers")),
        }
    }

    /// Whether there is an answer in it, whatever else.
    fn answers(&self) -> bool {
        self.result == Member::Value || self.error == Member::Value
    }

    /// Whether a message without a method says what came of a request; that may be `null`.
    fn says_outcome(&self) -> bool {
        self.result != Member::Absent || self.error != Member::Absent
    }
}

/// How a member stands in a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Member {
    #[default]
    Absent,
    Null,
    Value,
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Option::<IgnoredAny>::deserialize(deserializer)?;
        Ok(value.map_or(Self::Null, |_| Self::Value))
    }
}

/// A plain `Option` would read `"id": null` as absent; this keeps the difference.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

#[derive(Default, Deserialize)]
struct Params<const ESCAPED: bool> {
    #[serde(rename = "_meta", default)]
    meta: MapOr<Meta, ESCAPED>,
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

/// Whether a response tells of success.
pub(crate) fn is_result(message: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Outcome {
        #[serde(default)]
        result: Member,
        #[serde(default)]
        error: Member,
    }
    names::object::<Outcome>(message)
        .is_ok_and(|outcome| outcome.result != Member::Absent && outcome.error != Member::Value)
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
        assert!(matches!(&request.kind, Kind::Request { id, method: Method::ToolsCall } if id.as_json() == "7"));
        let notification = single(r#"{"method":"notifications/initialized"}"#).unwrap();
        assert!(matches!(notification.kind, Kind::Notification(Method::Initialized)));
        for response in [r#"{"id":0,"result":null}"#, r#"{"id":"x","error":{"code":1,"message":""}}"#] {
            assert!(matches!(single(response).unwrap().kind, Kind::Response(Some(_))), "{response}");
        }
    }

    #[test]
    fn a_null_beside_a_method_is_no_answer() {
        for nulls in [r#""result":null"#, r#""error":null"#, r#""params":null,"result":null,"error":null"#] {
            let question = format!(r#"{{"id":0,"method":"roots/list",{nulls}}}"#);
            assert!(matches!(single(&question).unwrap().kind, Kind::Request { .. }), "{question}");
            assert!(matches!(kind(question.as_bytes()), Some(Kind::Request { .. })), "{question}");
            let notice = format!(r#"{{"method":"notifications/progress",{nulls}}}"#);
            assert!(matches!(single(&notice).unwrap().kind, Kind::Notification(Method::Progress)), "{notice}");
            let notice = notice.replace('{', r#"{"id":null,"#);
            assert!(matches!(kind(notice.as_bytes()), Some(Kind::Notification(Method::Progress))), "{notice}");
        }
        let success = |response: &str| is_result(response.as_bytes());
        assert!(success(r#"{"id":0,"result":null}"#) && success(r#"{"id":0,"result":{},"error":null}"#));
        assert!(!success(r#"{"id":0,"result":null,"error":{"code":1}}"#) && !success(r#"{"id":0,"error":null}"#));
    }

    #[test]
    fn what_an_inner_service_says_is_read_as_well_as_may_be() {
        assert!(matches!(kind(br#"{"error":{"code":1,"message":"x"}}"#), Some(Kind::Response(None))));
        for none in
            [r#"{"result":{}}"#, r#"{"id":{},"method":"ping"}"#, r#"{"id":0,"method":"x","result":{}}"#, "[]", "{}"]
        {
            assert!(kind(none.as_bytes()).is_none(), "{none}");
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
    fn odd_but_valid_messages_are_messages() {
        let is_call = |body: &str| {
            let read = single(body).map(|envelope| envelope.kind);
            let own = kind(body.as_bytes());
            matches!(read, Ok(Kind::Request { .. })) && matches!(own, Some(Kind::Request { .. }))
        };
        let long = "x".repeat(100_000);
        for body in [
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","error":null}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":null,"result":null}"#,
            r#"{"id":1,"method":"tools/list","\ud800":1}"#,
            r#"{"id":1,"method":"tools/list","\udc00\ud800":{"\ud800":"\ud800"}}"#,
            r#"{"id":1,"method":"tools/list","params":{"\ud800":1,"_meta":{"\ud800":null}}}"#,
            r#"{"id":1,"\u006dethod":"tools/list"}"#,
            r#"{"id":"\ud800","method":"tools/list"}"#,
            r#"{"id":1,"method":"\ud800"}"#,
            &format!(r#"{{"id":"{long}","method":"tools/list"}}"#),
            &format!(r#"{{"id":{},"method":"tools/list"}}"#, "1".repeat(300)),
            &format!(r#"{{"id":1,"method":"{long}"}}"#),
        ] {
            assert!(is_call(body), "{}", &body[..body.len().min(100)]);
        }
        let hidden = r#"{"\ud800":0,"id":1,"\u006dethod":"initialize","p\u0061rams":{"\udc00":0,"\u005fmeta":{"\ud800":0,"io.modelcontextprotocol/protocolVersion":""}}}"#;
        let envelope = single(hidden).unwrap();
        assert!(envelope.is_initialize() && envelope.claims_modern);
        assert!(is_result(br#"{"id":1,"result":{},"\ud800":0}"#));
        for answer in [r#"{"id":1,"\u0072esult":{},"\ud800":0}"#, r#"{"id":1,"error":{"code":1},"\ud800":0}"#] {
            assert!(matches!(single(answer).unwrap().kind, Kind::Response(Some(_))), "{answer}");
        }
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for body in [
            r#"{"id":1,"id":2,"method":"x"}"#,
            r#"{"id":1,"method":"x","method":"initialize"}"#,
            r#"{"id":1,"method":"x","\ud800":0,"\u006dethod":"initialize"}"#,
            r#"{"id":1,"method":"x","params":{"\ud800":0,"_meta":{},"\u005fmeta":{}}}"#,
            r#"{"id":1,"Method":"initialize"}"#,
            r#"{"id":1,"method":"x","params":{"_meta":{},"_meta":{}}}"#,
            r#"{"id":null,"method":"x"}"#,
            r#"{"id":{},"method":"x"}"#,
            r#"{"id":1,"method":"x","result":{}}"#,
            r#"{"id":1,"method":5}"#,
            r#"{"id":1,"method":null}"#,
            r#"{"id":1,"method":["x"]}"#,
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
