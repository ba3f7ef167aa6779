//! *With whose head does the layer speak by itself?* Its GET, a replay, a farewell and letters of other replicas go with the
//! head of the newest request that was admitted to the session: same host, same credentials, same extensions.

use bytes::Bytes;
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, header};

use super::request::{self, speaks_of_content};
use crate::body::RequestBody;
use crate::protocol::headers;

/// A request's head without what concerns that one message alone. Credentials are in it: it never leaves this process's
/// memory, and has no `Debug`.
#[derive(Clone)]
pub(crate) struct InnerHead {
    uri: Uri,
    version: Version,
    headers: HeaderMap,
    extensions: Extensions,
}

impl InnerHead {
    pub(crate) fn of(parts: &Parts) -> Self {
        let mut headers = HeaderMap::with_capacity(parts.headers.len());
        for (name, value) in parts.headers.iter().filter(|(name, _)| !is_per_message(name)) {
            headers.append(name, value.clone());
        }
        let mut extensions = parts.extensions.clone();
        extensions.remove::<hyper::upgrade::OnUpgrade>();
        Self { uri: parts.uri.clone(), version: parts.version, headers, extensions }
    }

    pub(crate) const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    pub(crate) const fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Whether a request came with the same head, but for what concerns that one message and the way it took. Costs one walk
    /// along its headers.
    pub(crate) fn is_that_of(&self, parts: &Parts) -> bool {
        let mut kept = self.headers.iter();
        let mut expected = kept.next();
        for (name, value) in &parts.headers {
            match expected {
                Some((kept_name, kept_value)) if kept_name == name => {
                    if kept_value != value && !is_of_the_way(name) {
                        return false;
                    }
                    expected = kept.next();
                }
                _ if is_per_message(name) => {}
                _ => return false,
            }
        }
        expected.is_none() && self.uri.query() == parts.uri.query()
    }

    /// The same without anything that could give somebody authority: the host, and nothing else.
    pub(crate) fn without_authority(&self) -> Self {
        let host = self.headers.get(header::HOST).map(|host| (header::HOST, host.clone()));
        let uri = self.uri.path().parse().unwrap_or_default();
        Self { uri, version: self.version, headers: host.into_iter().collect(), extensions: Extensions::new() }
    }

    /// A POST of one JSON-RPC message.
    pub(crate) fn post(&self, message: Bytes) -> Request<RequestBody> {
        const BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
        let mut parts = self.parts(Method::POST);
        parts.headers.insert(header::CONTENT_TYPE, headers::JSON);
        parts.headers.insert(header::ACCEPT, BOTH);
        request::whole(parts, message)
    }

    /// A GET of an event stream, from a cursor on if there is one.
    pub(crate) fn get(&self, cursor: Option<&str>) -> Request<RequestBody> {
        let mut parts = self.parts(Method::GET);
        parts.headers.insert(header::ACCEPT, headers::EVENT_STREAM);
        if let Some(cursor) = cursor.and_then(|cursor| HeaderValue::from_str(cursor).ok()) {
            parts.headers.insert(headers::LAST_EVENT_ID, cursor);
        }
        request::whole(parts, Bytes::new())
    }

    /// A DELETE.
    pub(crate) fn delete(&self) -> Request<RequestBody> {
        request::whole(self.parts(Method::DELETE), Bytes::new())
    }

    fn parts(&self, method: Method) -> Parts {
        let (mut parts, ()) = Request::<()>::default().into_parts();
        parts.method = method;
        parts.uri = self.uri.clone();
        parts.version = self.version;
        parts.headers = self.headers.clone();
        parts.extensions = self.extensions.clone();
        parts
    }
}

/// Whether a header speaks of one message, or of the connection it came by, and so is none of another message's.
fn is_per_message(name: &HeaderName) -> bool {
    match name.as_str() {
        "accept" | "accept-encoding" | "range" | "date" | "last-event-id" => true,
        "connection" | "keep-alive" | "te" | "upgrade" | "proxy-connection" => true,
        // A proof of possession and a number are good for one request.
        "dpop" | "idempotency-key" | "x-request-id" | "x-correlation-id" => true,
        // Whatever stands in front may give each request a trace.
        "traceparent" | "tracestate" | "baggage" | "b3" | "sentry-trace" | "uber-trace-id" | "cf-ray" => true,
        "x-amzn-trace-id" | "x-cloud-trace-context" => true,
        name => PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || speaks_of_content(name),
    }
}

/// Whether a header tells the way a request took: it may differ from one to the next, and gives nobody authority.
fn is_of_the_way(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(name, "forwarded" | "via" | "x-real-ip") || name.starts_with("x-forwarded-") || name.starts_with("cf-")
}

/// What the names begin with of more such headers.
const PREFIXES: [&str; 4] = ["mcp-", "if-", "x-b3-", "x-datadog-"];

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(fields: &[(&'static str, &'static str)]) -> Parts {
        let (mut parts, ()) = Request::<()>::default().into_parts();
        for (name, value) in fields {
            parts.headers.append(*name, HeaderValue::from_static(value));
        }
        parts
    }

    #[test]
    fn only_what_is_not_of_one_message_makes_a_new_head() {
        let first =
            parts(&[("host", "x"), ("content-length", "7"), ("authorization", "t1"), ("x-a", "1"), ("x-a", "2")]);
        let head = InnerHead::of(&first);
        let on_another_way = parts(&[("host", "x"), ("x-forwarded-for", "1"), ("authorization", "t1")]);
        let way = InnerHead::of(&on_another_way);
        assert!(way.is_that_of(&parts(&[("host", "x"), ("x-forwarded-for", "2"), ("authorization", "t1")])));
        assert!(!way.is_that_of(&parts(&[("host", "x"), ("x-forwarded-for", "1"), ("authorization", "t2")])));
        let same = [
            parts(&[("host", "x"), ("authorization", "t1"), ("x-a", "1"), ("x-a", "2")]),
            parts(&[
                ("host", "x"),
                ("mcp-session-id", "s"),
                ("authorization", "t1"),
                ("x-a", "1"),
                ("x-a", "2"),
                ("traceparent", "0"),
            ]),
        ];
        for parts in same {
            assert!(head.is_that_of(&parts), "{:?}", parts.headers.keys());
        }
        let mut elsewhere = first;
        elsewhere.uri = "/mcp?key=2".parse().unwrap();
        assert!(!head.is_that_of(&elsewhere), "a query may be a credential");
        let others = [
            parts(&[("host", "x"), ("authorization", "t2"), ("x-a", "1"), ("x-a", "2")]),
            parts(&[("host", "x"), ("x-a", "1"), ("x-a", "2")]),
            parts(&[("host", "x"), ("authorization", "t1"), ("x-a", "1")]),
            parts(&[("host", "x"), ("authorization", "t1"), ("x-a", "1"), ("x-a", "2"), ("x-b", "3")]),
        ];
        for parts in others {
            assert!(!head.is_that_of(&parts), "{:?}", parts.headers.keys());
        }
    }

    #[test]
    fn requests_of_the_layers_own_have_the_head_and_nothing_of_the_message() {
        let first = parts(&[
            ("host", "x"),
            ("authorization", "t1"),
            ("content-type", "application/json"),
            ("content-length", "7"),
            ("expect", "100-continue"),
            ("connection", "upgrade"),
            ("mcp-method", "tools/call"),
            ("traceparent", "0"),
        ]);
        let head = InnerHead::of(&first);
        let names = |request: Request<RequestBody>| {
            let mut names: Vec<_> = request.headers().keys().map(|name| name.as_str().to_owned()).collect();
            names.sort();
            names
        };
        assert_eq!(names(head.delete()), ["authorization", "host"]);
        assert_eq!(names(head.get(Some("7"))), ["accept", "authorization", "host", "last-event-id"]);
        assert_eq!(
            names(head.post(Bytes::from_static(b"{}"))),
            ["accept", "authorization", "content-length", "content-type", "host"]
        );
    }
}
