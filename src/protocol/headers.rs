//! The headers a session layer reads, rewrites and takes off.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::protocol::version::ProtocolVersion;

/// The session id: ours towards the client, the inner service's own towards it.
pub(crate) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// The protocol revision a request speaks.
pub(crate) const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// The SSE cursor a client resumes from.
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// A reconnect token; a secret that no inner service may see.
pub(crate) const RECONNECT_TOKEN: HeaderName = HeaderName::from_static("mcp-reconnect-token");
/// Marks the attempts that one client makes with one token, so that it may try again; as secret as the token.
pub(crate) const RECONNECT_NONCE: HeaderName = HeaderName::from_static("mcp-reconnect-nonce");

pub(crate) const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Takes off what is said to the layer alone, and no business of an inner service's.
pub(crate) fn take_ours(headers: &mut HeaderMap) {
    const OURS: [HeaderName; 4] = [SESSION_ID, LAST_EVENT_ID, RECONNECT_TOKEN, RECONNECT_NONCE];
    // One walk costs less than looking each of them up: most requests have one of them.
    while let Some(name) = headers.keys().find(|name| OURS.contains(name)).cloned() {
        headers.remove(name);
    }
}

/// How often a header that must be single stands in a request.
pub(crate) enum Single<'a> {
    Absent,
    One(&'a HeaderValue),
    Several,
}

/// Reads a header that may stand at most once.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Single<'a> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Single::Absent,
        (Some(value), None) => Single::One(value),
        (Some(_), Some(_)) => Single::Several,
    }
}

/// Whether a body declares this media type, parameters aside.
pub(crate) fn has_media_type(headers: &HeaderMap, wanted: &HeaderValue) -> bool {
    let essence = |value: &[u8]| {
        value
            .split(|byte| *byte == b';')
            .next()
            .unwrap_or_default()
            .trim_ascii()
            .eq_ignore_ascii_case(wanted.as_bytes())
    };
    headers.get(header::CONTENT_TYPE).is_some_and(|value| essence(value.as_bytes()))
}

/// Whether a body is compressed, or otherwise encoded, and so cannot be read here. The layer never asks for it.
pub(crate) fn is_encoded(headers: &HeaderMap) -> bool {
    let is_plain = |coding: &[u8]| coding.is_empty() || coding.eq_ignore_ascii_case(b"identity");
    let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
    values.any(|value| !value.as_bytes().split(|byte| *byte == b',').all(|coding| is_plain(coding.trim_ascii())))
}

/// Whether the client takes JSON as an answer. MCP demands it of every client, and that it says so.
pub(crate) fn accepts_json(accept: &[HeaderValue]) -> bool {
    accepts(accept, &[b"application/json", b"application/*", b"*/*"])
}

/// Whether the client takes an event stream as an answer.
pub(crate) fn accepts_stream(accept: &[HeaderValue]) -> bool {
    accepts(accept, &[b"text/event-stream", b"text/*", b"*/*"])
}

fn accepts(accept: &[HeaderValue], ranges: &[&[u8]]) -> bool {
    let takes = |value: &HeaderValue| {
        let value = value.as_bytes();
        ranges.iter().any(|range| value.windows(range.len()).any(|part| part.eq_ignore_ascii_case(range)))
    };
    accept.iter().any(takes)
}

/// Takes off what a head says of its body.
pub(crate) fn take_content(headers: &mut HeaderMap) {
    for name in [
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        header::CONTENT_LANGUAGE,
        header::TRANSFER_ENCODING,
    ] {
        headers.remove(name);
    }
}

/// Makes the head of an event stream that of a JSON answer, of whatever length.
pub(crate) fn make_json(headers: &mut HeaderMap) {
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, JSON);
}

/// A protocol version as a header value.
pub(crate) fn version(version: ProtocolVersion) -> HeaderValue {
    HeaderValue::from_str(version.as_str()).expect("a date is visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_body_is_told_from_a_plain_one() {
        let encoded = |values: &[&'static str]| {
            let fields = values.iter().map(|value| (header::CONTENT_ENCODING, HeaderValue::from_static(value)));
            is_encoded(&fields.collect())
        };
        for plain in [&[][..], &["identity"], &["Identity"], &[""], &["identity, identity", "identity"]] {
            assert!(!encoded(plain), "{plain:?}");
        }
        for compressed in [&["gzip"][..], &["br"], &["identity, gzip"], &["identity", "deflate"], &["x"]] {
            assert!(encoded(compressed), "{compressed:?}");
        }
    }
}
