//! Preflights: a browser asks whether a page may ask.

use http::{HeaderMap, Method, StatusCode, header};

use super::{Examples, LISTED, LISTED_FLAG, cors_headers, names_in};
use crate::harness::process::Process;
use crate::harness::raw::{Answer, Client};

/// What clients of both eras send; the last are a tool's and an application's own.
const REQUEST_HEADERS: [&str; 13] = [
    "accept",
    "authorization",
    "content-type",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "mcp-reconnect-nonce",
    "mcp-reconnect-token",
    "mcp-session-id",
    "traceparent",
    "mcp-param-region",
    "x-api-key",
];

/// A preflight carries no header of the page's: it neither says who asks nor in which session.
async fn preflight(process: &Process, path: &'static str, origin: &str, method: &str) -> Answer {
    let browser = Client::to(process.address()).at_path(path).without(header::CONTENT_TYPE).with("accept", "*/*");
    let browser = browser.with(header::ORIGIN, origin).with(header::ACCESS_CONTROL_REQUEST_METHOD, method);
    let browser = browser.with(header::ACCESS_CONTROL_REQUEST_HEADERS, &REQUEST_HEADERS.join(","));
    browser.send(Method::OPTIONS, "").await
}

fn assert_allows(what: &str, origin: &str, headers: &HeaderMap) {
    assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], origin, "{what}");
    let mut methods = names_in(headers, header::ACCESS_CONTROL_ALLOW_METHODS);
    methods.sort_unstable();
    assert_eq!(methods, ["delete", "get", "post"], "{what}");
    assert_eq!(names_in(headers, header::ACCESS_CONTROL_ALLOW_HEADERS), REQUEST_HEADERS, "{what}");
    assert!(headers.contains_key(header::ACCESS_CONTROL_MAX_AGE), "{what}: each call would be asked for twice");
    assert!(names_in(headers, header::VARY).contains(&"origin".to_owned()), "{what}");
}

#[tokio::test]
async fn pages_that_are_let_in_may_ask_and_others_may_not() {
    let named = Examples::start(&[&LISTED_FLAG[..], &["--principal-header", "x-user"]].concat()).await;
    let unnamed = Examples::start(&[]).await;
    let foreign = "https://evil.example";
    let cases = [
        (&named, LISTED, "http://localhost:3000"),
        (&unnamed, "http://localhost:3000", LISTED),
        (&named, LISTED, foreign),
    ];
    for (examples, allowed, refused) in cases {
        for (example, process) in examples.each() {
            for path in ["/mcp", "/mcp/"] {
                for method in ["GET", "POST", "DELETE"] {
                    let what = format!("{example}{path} {method}");
                    let answer = preflight(process, path, allowed, method).await;
                    assert_eq!(answer.status, StatusCode::OK, "{what}");
                    assert_allows(&what, allowed, &answer.headers);

                    let answer = preflight(process, path, refused, method).await;
                    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{what}");
                    assert_eq!(cors_headers(&answer.headers), [""; 0], "{what}");
                }
            }
        }
    }
}

/// What stands beside the endpoint is for pages of its own.
#[tokio::test]
async fn no_other_path_lets_a_page_of_another_origin_read() {
    let examples = Examples::start(&LISTED_FLAG).await;
    for (example, process) in examples.each() {
        let page = Client::to(process.address()).with(header::ORIGIN, LISTED);
        for path in ["/", "/api/mcp/sessions", "/api/mcp/sessions/health", "/api/access", "/nothing"] {
            let preflight = preflight(process, path, LISTED, "GET").await;
            assert_eq!(cors_headers(&preflight.headers), [""; 0], "{example}{path}");
            let answer = page.at_path(path).get().await;
            assert_eq!(cors_headers(&answer.headers), [""; 0], "{example}{path}");
        }
    }
}

/// `OPTIONS` without a method to ask for is an ordinary request: the server's to answer.
#[tokio::test]
async fn an_options_request_that_is_no_preflight_reaches_the_server() {
    let examples = Examples::start(&LISTED_FLAG).await;
    for (example, process) in examples.each() {
        let client = Client::to(process.address());
        let asked = client.send(Method::OPTIONS, "").await.status;
        assert_eq!(client.with(header::ORIGIN, LISTED).send(Method::OPTIONS, "").await.status, asked, "{example}");
        let with_a_method = client.with(header::ACCESS_CONTROL_REQUEST_METHOD, "POST");
        assert_eq!(with_a_method.send(Method::OPTIONS, "").await.status, asked, "{example}: no page asks");
        let foreign = client.with(header::ORIGIN, "https://evil.example").send(Method::OPTIONS, "").await;
        assert_eq!(foreign.status, StatusCode::FORBIDDEN, "{example}");
    }
}
