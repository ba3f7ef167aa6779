//! Every request that goes inside is made here, and nowhere else: its framing comes from its bytes, never from what another
//! message declared (RFC 9110, section 8.6; RFC 9112, section 6).

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use http_body::Body;

use crate::body::RequestBody;

/// A request whose body is here whole.
pub(crate) fn whole(parts: Parts, body: Bytes) -> Request<RequestBody> {
    make(parts, RequestBody::whole(body))
}

/// A request whose body passes by unread, with the headers its client sent.
pub(crate) fn passing(parts: Parts, body: RequestBody) -> Request<RequestBody> {
    make(parts, body)
}

#[cfg_attr(not(test), expect(clippy::disallowed_methods, reason = "the one place that may"))]
fn make(mut parts: Parts, body: RequestBody) -> Request<RequestBody> {
    frame(&mut parts, body.size_hint().exact());
    Request::from_parts(parts, body)
}

/// Declares how long the body is; without a body nothing speaks of one. A length that nobody knows is left to the transport.
fn frame(parts: &mut Parts, length: Option<u64>) {
    let headers = &mut parts.headers;
    match length {
        Some(0) => {
            take_content_headers(headers);
            if parts.method == Method::POST {
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
            }
        }
        Some(length) => {
            if declared_length(headers) != Some(length) {
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
            }
            headers.remove(header::TRANSFER_ENCODING);
        }
        None => {
            headers.remove(header::CONTENT_LENGTH);
        }
    }
}

/// The one length that is declared, as digits alone.
fn declared_length(headers: &HeaderMap) -> Option<u64> {
    let mut declared = headers.get_all(header::CONTENT_LENGTH).iter();
    let (first, None) = (declared.next()?, declared.next()) else { return None };
    let digits = first.as_bytes();
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |length, digit| length * 10 + u64::from(digit - b'0')))
}

/// Headers that vouch for the very bytes a client sent: true no more once the layer has changed the body.
const OF_THESE_BYTES: [HeaderName; 6] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("signature"),
    HeaderName::from_static("signature-input"),
];

/// For a request whose body is no longer the one that its client sent.
pub(crate) fn forget_content(headers: &mut HeaderMap) {
    for name in OF_THESE_BYTES {
        headers.remove(name);
    }
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::CONTENT_ENCODING);
}

/// Takes off everything that speaks of a body.
fn take_content_headers(headers: &mut HeaderMap) {
    let of_content = |name: &HeaderName| speaks_of_content(name.as_str());
    let names: Vec<HeaderName> = headers.keys().filter(|name| of_content(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// Whether a header speaks of the message's body, or of how it is sent.
pub(super) fn speaks_of_content(name: &str) -> bool {
    let of_framing = matches!(name, "transfer-encoding" | "trailer" | "expect");
    let of_bytes = matches!(name, "digest" | "repr-digest" | "signature" | "signature-input");
    of_framing || of_bytes || (name.starts_with("content-") && !name.starts_with("content-security-policy"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::body::BoxError;

    fn parts(method: &Method, fields: &[(String, String)]) -> Parts {
        let mut parts = Request::new(()).into_parts().0;
        parts.method = method.clone();
        for (name, value) in fields {
            parts.headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
        }
        parts
    }

    fn any_fields() -> impl Strategy<Value = Vec<(String, String)>> {
        let names = prop::sample::select(vec![
            "content-length",
            "content-type",
            "content-encoding",
            "content-language",
            "content-digest",
            "digest",
            "transfer-encoding",
            "trailer",
            "expect",
            "signature",
            "x-own",
            "authorization",
        ]);
        let values = prop::sample::select(vec!["0", "1", "7", "+7", "07", "chunked", "gzip", "application/json", "x"]);
        prop::collection::vec((names, values).prop_map(|(name, value)| (name.to_owned(), value.to_owned())), 0..8)
    }

    fn any_method() -> impl Strategy<Value = Method> {
        prop::sample::select(vec![Method::GET, Method::POST, Method::DELETE, Method::OPTIONS])
    }

    proptest! {
        #[test]
        fn a_whole_request_declares_the_length_of_its_body(
            method in any_method(),
            fields in any_fields(),
            body in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let length = body.len();
            let request = whole(parts(&method, &fields), body.into());
            let headers = request.headers();
            prop_assert!(!headers.contains_key(header::TRANSFER_ENCODING));
            let declared: Vec<_> = headers.get_all(header::CONTENT_LENGTH).iter().map(|value| value.to_str().unwrap()).collect();
            match (length, method) {
                (0, Method::POST) => prop_assert_eq!(declared, ["0"]),
                (0, _) => prop_assert!(declared.is_empty()),
                (length, _) => {
                    prop_assert_eq!(declared.len(), 1);
                    prop_assert_eq!(declared[0].parse::<usize>().unwrap(), length);
                }
            }
            if length == 0 {
                let content: Vec<_> = headers.keys().filter(|name| speaks_of_content(name.as_str()) && *name != header::CONTENT_LENGTH).collect();
                prop_assert!(content.is_empty(), "{content:?}");
            }
            let own = fields.iter().filter(|(name, _)| name == "x-own").count();
            prop_assert_eq!(headers.get_all("x-own").iter().count(), own, "what speaks of nothing of that stays");
        }

        #[test]
        fn a_passing_request_declares_no_length_but_its_bodys(method in any_method(), fields in any_fields(), known in any::<bool>()) {
            let body = http_body_util::Full::new(Bytes::from_static(b"seven b"));
            let unknown = http_body_util::StreamBody::new(futures::stream::empty::<Result<http_body::Frame<Bytes>, BoxError>>());
            let body = if known { RequestBody::limited(body, 100).0 } else { RequestBody::limited(unknown, 100).0 };
            let request = passing(parts(&method, &fields), body);
            let declared: Vec<_> = request.headers().get_all(header::CONTENT_LENGTH).iter().collect();
            match known {
                true => prop_assert_eq!(declared.iter().map(|value| value.to_str().unwrap().parse::<u64>().unwrap()).collect::<Vec<_>>(), [7]),
                false => prop_assert!(declared.is_empty()),
            }
        }
    }
}
