//! What an `initialize` says about reconnecting, taken off it: neither the inner service nor the store may see these secrets.
//!
//! | | header | member of `params._meta` |
//! |---|---|---|
//! | token | `Mcp-Reconnect-Token` | `tower-mcp-sessions/reconnectToken` |
//! | nonce | `Mcp-Reconnect-Nonce` | `tower-mcp-sessions/reconnectNonce` |

use bytes::Bytes;
use http::{HeaderMap, HeaderName};

use super::token::ReconnectToken;
use crate::id::NonceDigest;
use crate::protocol::headers::{RECONNECT_NONCE, RECONNECT_TOKEN};
use crate::protocol::rewrite;

const TOKEN: &[&str] = &["params", "_meta", "tower-mcp-sessions/reconnectToken"];
const NONCE: &[&str] = &["params", "_meta", "tower-mcp-sessions/reconnectNonce"];
/// Stands in the names of both members.
const COMMON_WORD: &str = "reconnect";

/// What the client asks for.
#[derive(Debug)]
pub(crate) struct Asked {
    /// `None`: it wants a new session.
    pub(crate) token: Option<Presented>,
    /// Marks its attempts, so that it may try again. A doubled, empty or malformed one marks nothing.
    pub(crate) nonce: Option<NonceDigest>,
}

/// The token a client shows.
#[derive(Debug)]
pub(crate) enum Presented {
    Token(ReconnectToken),
    /// Given twice, not alike in both places, or nothing that could be a token.
    Unreadable,
}

/// Takes token and nonce off an `initialize`. A body that holds neither stays as it is, byte for byte.
///
/// The body was looked at before: `params` and `_meta` stand in it at most once.
pub(crate) fn take(headers: &mut HeaderMap, body: Bytes) -> (Bytes, Asked) {
    let (token, nonce) = (take_header(headers, &RECONNECT_TOKEN), take_header(headers, &RECONNECT_NONCE));
    if !rewrite::may_say(&body, COMMON_WORD) {
        return (body, Asked { token: token.presented(), nonce: nonce.digest() });
    }
    let (body, token_in_body) = take_member(body, TOKEN);
    let (body, nonce_in_body) = take_member(body, NONCE);
    let nonce = if matches!(nonce, Said::Nothing) { nonce_in_body } else { nonce };
    (body, Asked { token: agreed(token.presented(), token_in_body.presented()), nonce: nonce.digest() })
}

/// Takes the nonce off the headers of a request that is no `initialize`.
#[cfg(feature = "monitor")]
pub(crate) fn take_nonce(headers: &mut HeaderMap) -> Option<NonceDigest> {
    take_header(headers, &RECONNECT_NONCE).digest()
}

fn agreed(one: Option<Presented>, other: Option<Presented>) -> Option<Presented> {
    match (one, other) {
        (None, said) | (said, None) => said,
        (Some(Presented::Token(one)), Some(Presented::Token(other))) if one == other => Some(Presented::Token(one)),
        (Some(_), Some(_)) => Some(Presented::Unreadable),
    }
}

/// What stands in one of the places.
enum Said {
    Nothing,
    Unreadable,
    Text(Vec<u8>),
}

impl Said {
    fn presented(self) -> Option<Presented> {
        match self {
            Self::Nothing => None,
            Self::Unreadable => Some(Presented::Unreadable),
            Self::Text(text) => Some(ReconnectToken::parse(&text).map_or(Presented::Unreadable, Presented::Token)),
        }
    }

    fn digest(self) -> Option<NonceDigest> {
        match self {
            Self::Nothing | Self::Unreadable => None,
            Self::Text(nonce) => NonceDigest::of(&nonce),
        }
    }
}

impl FromIterator<Option<Vec<u8>>> for Said {
    fn from_iter<I: IntoIterator<Item = Option<Vec<u8>>>>(texts: I) -> Self {
        let mut texts = texts.into_iter();
        match (texts.next(), texts.next()) {
            (None, _) => Self::Nothing,
            (Some(Some(text)), None) => Self::Text(text),
            (Some(None), None) | (Some(_), Some(_)) => Self::Unreadable,
        }
    }
}

fn take_header(headers: &mut HeaderMap, name: &HeaderName) -> Said {
    let said = headers.get_all(name).iter().map(|value| Some(value.as_bytes().to_vec())).collect();
    headers.remove(name);
    said
}

fn take_member(body: Bytes, path: &[&str]) -> (Bytes, Said) {
    let text = |value: &str| serde_json::from_str::<String>(value).ok().map(String::into_bytes);
    let taken = rewrite::remove(&body, path)
        .map(|(left, values)| (left, values.iter().map(|value| text(value.get())).collect()));
    taken.unwrap_or((body, Said::Nothing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn initialize(meta: &str) -> String {
        format!(r#"{{ "jsonrpc":"2.0","id":1.0,"method":"initialize","params":{{"a":"ü\n","_meta":{meta}}} }}"#)
    }

    /// What is left of the body, what was asked for the token, and which nonce was given.
    fn asked(headers: &[(&HeaderName, &str)], body: &str) -> (String, Option<String>, Option<NonceDigest>) {
        let mut map = HeaderMap::new();
        map.insert("x-kept", HeaderValue::from_static("1"));
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let (left, asked) = take(&mut map, Bytes::from(body.to_owned()));
        assert_eq!(map.len(), 1, "{map:?}");
        let token = asked.token.map(|token| match token {
            Presented::Token(token) => token.expose().to_owned(),
            Presented::Unreadable => "unreadable".to_owned(),
        });
        (String::from_utf8(left.into()).unwrap(), token, asked.nonce)
    }

    #[test]
    fn a_body_that_asks_for_nothing_stays_as_it_is() {
        for body in [
            &initialize(r#"{ "progressToken" : 1 }"#),
            &initialize(r#"{ "\u0070rogressToken" : 1 }"#),
            &initialize(r#"{ "reconnect" : 1 }"#),
            &initialize("[]"),
            r#"{ "method":"initialize", "reconnect":"\u0041" }"#,
            r#"[ {"reconnect" : 1 } ]"#,
            r#"{"params":{"tower-mcp-sessions/reconnectToken": "t"}} "#,
            "reconnect, but no JSON",
            "",
        ] {
            assert_eq!(asked(&[], body), (body.to_owned(), None, None));
        }
    }

    #[test]
    fn headers_and_members_are_read_and_taken_off() {
        let nonce = NonceDigest::of(b"n");
        let plain = initialize("{}");
        let headers = [(&RECONNECT_TOKEN, "t"), (&RECONNECT_NONCE, "n")];
        assert_eq!(asked(&headers, &plain), (plain.clone(), Some("t".into()), nonce));
        for meta in [
            r#"{"tower-mcp-sessions/reconnectToken":"t","k":[1, 2],"tower-mcp-sessions/reconnectNonce":"n"}"#,
            r#"{"k":[1, 2],"tower-mcp-sessions\/reconnectToken":"\u0074","tower-mcp-sessions/\u0072econnectNonce":"n"}"#,
        ] {
            let left = r#"{"jsonrpc":"2.0","id":1.0,"method":"initialize","params":{"a":"ü\n","_meta":{"k":[1, 2]}}}"#;
            assert_eq!(asked(&[], &initialize(meta)), (left.into(), Some("t".into()), nonce), "{meta}");
            assert_eq!(asked(&headers, &initialize(meta)), (left.into(), Some("t".into()), nonce), "{meta}");
        }
    }

    #[test]
    fn what_cannot_be_one_token_is_unreadable_and_taken_off_all_the_same() {
        let member = |value: &str| initialize(&format!(r#"{{"tower-mcp-sessions/reconnectToken":{value}}}"#));
        let doubled = r#""t","tower-mcp-sessions/reconnectToken":"t""#;
        let long = format!("\"{}\"", "x".repeat(4097));
        for value in ["null", "7", "{}", "\"\"", "\"a b\"", "\"ü\"", doubled, &long] {
            let (left, token, _) = asked(&[], &member(value));
            assert_eq!(token.as_deref(), Some("unreadable"), "{value}");
            assert!(!left.contains("reconnect"), "{left}");
        }
        let plain = initialize("{}");
        let token_of = |headers: &[(&HeaderName, &str)], body: &str| asked(headers, body).1;
        for headers in [&[(&RECONNECT_TOKEN, "t"), (&RECONNECT_TOKEN, "t")][..], &[(&RECONNECT_TOKEN, "")]] {
            assert_eq!(token_of(headers, &plain).as_deref(), Some("unreadable"));
        }
        for (header, value) in [("t", "\"u\""), ("t", "null"), ("a b", "\"t\"")] {
            assert_eq!(token_of(&[(&RECONNECT_TOKEN, header)], &member(value)).as_deref(), Some("unreadable"));
        }
    }

    #[test]
    fn the_nonce_in_the_header_wins_and_an_unclear_one_is_none() {
        let body = initialize(r#"{"tower-mcp-sessions/reconnectNonce":"body"}"#);
        let nonce_of = |headers: &[(&HeaderName, &str)], body: &str| asked(headers, body).2;
        assert_eq!(nonce_of(&[], &body), NonceDigest::of(b"body"));
        assert_eq!(nonce_of(&[(&RECONNECT_NONCE, "header")], &body), NonceDigest::of(b"header"));
        assert_eq!(nonce_of(&[(&RECONNECT_NONCE, "a"), (&RECONNECT_NONCE, "a")], &body), None);
        assert_eq!(nonce_of(&[(&RECONNECT_NONCE, "")], &body), None);
        assert_eq!(nonce_of(&[], &initialize(r#"{"tower-mcp-sessions/reconnectNonce":1}"#)), None);
    }

    #[test]
    fn what_was_asked_is_not_printed() {
        let mut headers = HeaderMap::new();
        headers.insert(RECONNECT_TOKEN, HeaderValue::from_static("s3cret"));
        headers.insert(RECONNECT_NONCE, HeaderValue::from_static("s3cret"));
        assert!(!format!("{:?}", take(&mut headers, Bytes::new())).contains("s3cret"));
    }
}
