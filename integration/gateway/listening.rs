//! Upstreams that let nobody listen, or not yet. The client listens all the same, and the session lives.

use std::time::{Duration, Instant};

use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::json;
use wiremock::ResponseTemplate;

use super::gateway;
use super::upstream::Upstream;
use crate::harness::eventually::eventually;
use crate::harness::wire::{Wire, read_until};

const NEWS: &str =
    "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"data\":\"news\"}}\n\n";

fn stream() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(NEWS, "text/event-stream")
}

/// Answers to a GET that are no stream, and say nothing of the session.
fn not_now() -> [(&'static str, ResponseTemplate); 6] {
    let answer = |status, text: &str| ResponseTemplate::new(status).set_body_raw(text.to_owned(), "text/plain");
    [
        ("a stream that is still there, by mcp-go", answer(400, "Session registration failed: session already exists")),
        (
            "a stream that is still there, by the SDKs",
            answer(409, "Conflict: Only one SSE stream is allowed per session"),
        ),
        ("too much", answer(429, "slow down").insert_header(RETRY_AFTER, "1")),
        ("a crash", answer(500, "Internal Server Error")),
        ("a deployment", answer(503, "no healthy upstream")),
        ("a page", answer(200, "hello")),
    ]
}

#[tokio::test]
async fn a_refusal_to_listen_is_no_lost_session_and_is_asked_again() {
    for (what, refusal) in not_now() {
        let upstream = Upstream::start().await;
        upstream.on_next_get(refusal).await;
        upstream.on_get(stream()).await;
        let gateway = gateway(&upstream.mcp(), &[]).await;
        let wire = Wire::open(&gateway.mcp()).await;

        let mut listening = wire.listen().await;

        assert_eq!(listening.status(), 200, "{what}");
        assert_eq!(listening.headers()[CONTENT_TYPE], "text/event-stream", "{what}");
        read_until(&mut listening, "news").await;
        assert_eq!((upstream.asked("initialize").await.len(), upstream.asked("ping").await.len()), (1, 0), "{what}");
        assert_eq!(upstream.deleted().await, [""; 0], "{what}");
        assert_eq!(wire.say("echo", json!({})).await, "echo in upstream-1", "{what}");
    }
}

#[tokio::test]
async fn an_upstream_that_says_when_to_come_back_is_not_asked_before() {
    let upstream = Upstream::start().await;
    upstream.on_next_get(ResponseTemplate::new(429).insert_header(RETRY_AFTER, "1")).await;
    upstream.on_get(stream()).await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let wire = Wire::open(&gateway.mcp()).await;

    let begun = Instant::now();
    let mut listening = wire.listen().await;
    wire.say("echo", json!({})).await;
    read_until(&mut listening, "news").await;

    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_upstream_without_a_stream_is_asked_for_one_once() {
    for (status, gets, pings) in [(405, 1, 0), (501, 1, 0), (404, 2, 2)] {
        let upstream = Upstream::start().await;
        upstream.on_get(ResponseTemplate::new(status)).await;
        let gateway = gateway(&upstream.mcp(), &[]).await;
        let wire = Wire::open(&gateway.mcp()).await;

        let first = wire.listen().await;
        let asked = async || (upstream.asked_for_a_stream().await, upstream.asked("ping").await.len());
        eventually("it is found to have none", async || asked().await == (gets, pings)).await;
        let second = wire.listen().await;

        assert_eq!((first.status().as_u16(), second.status().as_u16()), (200, 200), "{status}");
        assert_eq!(wire.say("echo", json!({})).await, "echo in upstream-1", "{status}");
        assert_eq!(asked().await, (gets, pings), "{status}");
        assert_eq!(upstream.deleted().await, [""; 0], "{status}");
    }
}

#[tokio::test]
async fn credentials_that_do_not_let_listen_are_refused_to_the_client_itself() {
    for status in [401, 403] {
        let upstream = Upstream::start().await;
        let refusal = ResponseTemplate::new(status).insert_header(WWW_AUTHENTICATE, "Bearer").set_body_string("log in");
        upstream.on_next_get(refusal).await;
        upstream.on_get(stream()).await;
        let gateway = gateway(&upstream.mcp(), &[]).await;
        let wire = Wire::open(&gateway.mcp()).await;

        let refused = wire.listen().await;

        assert_eq!(refused.status(), status);
        assert_eq!(refused.headers()[WWW_AUTHENTICATE], "Bearer");
        assert_eq!(refused.text().await.expect("a body"), "log in");
        // With other credentials it listens.
        read_until(&mut wire.listen().await, "news").await;
        assert_eq!((upstream.asked("initialize").await.len(), upstream.deleted().await.len()), (1, 0), "{status}");
    }
}

#[tokio::test]
async fn who_comes_to_listen_to_a_session_that_was_lost_listens_to_a_new_one() {
    for said in [
        (404, "Session not found"),
        (400, "Bad Request: Server not initialized"),
        (401, "Unauthorized: Session not found"),
    ] {
        let upstream = Upstream::start().await;
        upstream.on_get(stream()).await;
        let gateway = gateway(&upstream.mcp(), &[]).await;
        let wire = Wire::open(&gateway.mcp()).await;
        let lost = ResponseTemplate::new(said.0).set_body_string(said.1);
        upstream.on_session("upstream-1", lost).await;

        read_until(&mut wire.listen().await, "news").await;

        assert_eq!(wire.say("echo", json!({})).await, "echo in upstream-2", "{said:?}");
    }
}
