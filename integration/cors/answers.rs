//! Every kind of answer, asked for by pages of every kind of origin.

use http::{Method, StatusCode, header};
use serde_json::json;

use super::{Examples, LISTED, LISTED_FLAG, cors_headers, names_in};
use crate::harness::raw::{Answer, Client, LAST_EVENT_ID, SESSION_ID, VERSION, initialize, modern, request};

const EXTENSION: &str = "chrome-extension://abcdefghijklmnopabcdefghijklmnop";
const LOOPBACK: [&str; 3] = ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:5"];
const FOREIGN: [&str; 4] = ["https://evil.example", "null", "https://app.example.com.evil.example", "file://"];

/// What the layer, or the inner service behind it, has to answer to a page that it lets in: each kind of answer once.
async fn answers(client: &Client) -> Vec<(&'static str, u16, Answer)> {
    // Opened by no page, so that there is a session to ask for whoever asks.
    let session = client.without(header::ORIGIN).open("2025-11-25").await;
    let page = client.with(SESSION_ID, &session.id).with(VERSION, "2025-11-25");
    let stream = page.with("accept", "text/event-stream");
    let modern_page = client.with(VERSION, "2026-07-28");
    let (discover, ping) = (modern("server/discover"), request(7, "ping", json!({})));
    vec![
        ("initialize", 200, client.post(&initialize("2025-11-25")).await),
        ("a call", 200, page.post(&request(1, "tools/list", json!({}))).await),
        ("a notification", 202, page.post(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled" })).await),
        ("listening", 200, stream.get().await),
        ("resuming after no event", 400, stream.with(LAST_EVENT_ID, "none").get().await),
        ("no id", 400, client.post(&ping).await),
        ("no JSON", 400, page.send(Method::POST, "{").await),
        ("an unknown version", 400, page.with(VERSION, "1999-01-01").post(&ping).await),
        ("an unknown id", 404, page.with(SESSION_ID, "unknown").post(&ping).await),
        ("listening with an unknown id", 404, stream.with(SESSION_ID, "unknown").get().await),
        ("a compressed body", 415, page.with("content-encoding", "gzip").post(&ping).await),
        ("another method", 405, page.send(Method::PUT, "").await),
        ("nobody", 401, page.without(header::HeaderName::from_static("x-user")).post(&ping).await),
        ("a token that is none", 403, client.with("mcp-reconnect-token", "none").post(&initialize("2025-11-25")).await),
        ("a modern request", 200, modern_page.with("mcp-method", "server/discover").post(&discover).await),
        ("a DELETE", 204, page.delete().await),
        ("after it", 404, page.post(&ping).await),
    ]
}

fn assert_readable(what: &str, origin: &str, answer: &Answer) {
    let headers = &answer.headers;
    let once = ["access-control-allow-origin", "access-control-expose-headers"];
    assert_eq!(cors_headers(headers), once, "{what}");
    assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], origin, "{what}");
    let exposed = names_in(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS);
    for name in ["mcp-session-id", "mcp-protocol-version", "mcp-reconnect-token", "www-authenticate", "retry-after"] {
        assert!(exposed.iter().any(|exposed| exposed == name), "{what}: {name} in {exposed:?}");
    }
    assert!(names_in(headers, header::VARY).contains(&"origin".to_owned()), "{what}: caches have to know");
}

async fn assert_all_readable(example: &str, client: &Client, origin: &str) {
    for path in ["/mcp", "/mcp/"] {
        for (what, status, answer) in answers(&client.at_path(path).with(header::ORIGIN, origin)).await {
            let what = format!("{example}{path}, {origin}: {what}");
            assert_eq!(answer.status, status, "{what}");
            assert_readable(&what, origin, &answer);
        }
    }
}

async fn assert_none_readable(example: &str, client: &Client, origin: &str) {
    for (what, _, answer) in answers(&client.with(header::ORIGIN, origin)).await {
        let what = format!("{example}, {origin}: {what}");
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{what}");
        assert_eq!(cors_headers(&answer.headers), [""; 0], "{what}");
    }
}

/// Requests of all but browsers.
async fn assert_as_without_cors(example: &str, client: &Client) {
    for (what, status, answer) in answers(client).await {
        assert_eq!(answer.status, status, "{example}: {what}");
        assert_eq!(cors_headers(&answer.headers), [""; 0], "{example}: {what}");
    }
}

#[tokio::test]
async fn pages_of_named_origins_read_every_answer_and_others_none() {
    let named = [&LISTED_FLAG[..], &["--allow-origin", EXTENSION, "--principal-header", "x-user"]].concat();
    let examples = Examples::start(&named).await;
    for (example, process) in examples.each() {
        let client = Client::to(process.address()).with("x-user", "ada");
        let own = format!("http://{}", process.address());
        for origin in [LISTED, EXTENSION, &own] {
            assert_all_readable(example, &client, origin).await;
        }
        for origin in LOOPBACK.into_iter().chain(FOREIGN) {
            assert_none_readable(example, &client, origin).await;
        }
        assert_as_without_cors(example, &client).await;

        let elsewhere = client.with(header::ORIGIN, LISTED).with(header::HOST, "mcp.example.com").get().await;
        assert_eq!(elsewhere.status, StatusCode::FORBIDDEN, "{example}: a foreign host");
        assert_readable("a foreign host", LISTED, &elsewhere);
    }
}

#[tokio::test]
async fn loopback_pages_read_every_answer_until_a_host_or_an_origin_is_named() {
    let examples = Examples::start(&["--principal-header", "x-user"]).await;
    let with_a_host = Examples::start(&["--principal-header", "x-user", "--allow-host", "mcp.example.com"]).await;
    for (example, process) in examples.each() {
        let client = Client::to(process.address()).with("x-user", "ada");
        for origin in LOOPBACK {
            assert_all_readable(example, &client, origin).await;
        }
        assert_none_readable(example, &client, LISTED).await;
    }
    for (example, process) in with_a_host.each() {
        let client = Client::to(process.address()).with("x-user", "ada");
        for origin in LOOPBACK {
            assert_none_readable(example, &client, origin).await;
        }
        let public = client.with(header::HOST, "mcp.example.com").with(header::ORIGIN, "https://mcp.example.com");
        let opened = public.post(&initialize("2025-11-25")).await;
        assert_eq!(opened.status, StatusCode::OK, "{example}: a page of its own, behind a proxy that ends TLS");
        assert_readable("a page of its own", "https://mcp.example.com", &opened);
    }
}
