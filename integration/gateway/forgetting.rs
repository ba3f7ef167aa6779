//! Upstreams that lose the sessions they gave, and say so by a 404 or in other ways. To a client a 404 means that its session is
//! gone, and it is not.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::json;
use wiremock::ResponseTemplate;

use super::upstream::{Upstream, session_of};
use super::{Refusal, gateway};
use crate::harness::eventually::{eventually, found_within};
use crate::harness::wire::Wire;

/// No requirement: only what keeps a test from hanging.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn an_upstream_that_forgot_is_told_the_handshake_again_and_the_call_once_more() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let wire = Wire::open(&gateway.mcp()).await;
    assert_eq!(wire.say("echo", json!({})).await, "echo in upstream-1");
    upstream.forget();

    assert_eq!(wire.say("work", json!({})).await, "work in upstream-2");

    let handshakes = upstream.asked("initialize").await;
    assert_eq!(handshakes.len(), 2);
    assert_eq!(handshakes[0].body, handshakes[1].body, "it is the client's own");
    let told = upstream.asked("notifications/initialized").await;
    assert_eq!(told.iter().filter_map(session_of).collect::<Vec<_>>(), ["upstream-1", "upstream-2"]);
    let calls = upstream.asked("tools/call").await;
    let of_work = calls.iter().filter(|call| String::from_utf8_lossy(&call.body).contains("work"));
    assert_eq!(of_work.filter_map(session_of).collect::<Vec<_>>(), ["upstream-1", "upstream-2"]);
    assert_eq!(wire.say("echo", json!({})).await, "echo in upstream-2");
}

/// What servers say that were made with mcp 1.9.4, after the early examples of the TypeScript SDK, with one transport of it, and
/// with rmcp before 1.0.
const LOST: [(u16, &str); 4] = [
    (400, "Bad Request: No valid session ID provided"),
    (
        400,
        r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"},"id":null}"#,
    ),
    (400, r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: Server not initialized"},"id":null}"#),
    (401, "Unauthorized: Session not found"),
];

#[tokio::test]
async fn an_upstream_that_tells_of_a_lost_session_by_400_or_401_is_told_the_handshake_again_too() {
    for (status, said) in LOST {
        let upstream = Upstream::start().await;
        let gateway = gateway(&upstream.mcp(), &[]).await;
        let wire = Wire::open(&gateway.mcp()).await;
        upstream.on_session("upstream-1", ResponseTemplate::new(status).set_body_string(said)).await;

        assert_eq!(wire.say("work", json!({})).await, "work in upstream-2", "{said}");
    }
}

#[tokio::test]
async fn a_404_that_stays_is_a_200_with_its_error_if_it_has_one() {
    let upstream = Upstream::start().await;
    let error = json!({"jsonrpc": "2.0", "id": "lost", "error": {"code": -32001, "message": "Session not found"}});
    upstream.on_call("lost", ResponseTemplate::new(404).set_body_json(&error)).await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let wire = Wire::open(&gateway.mcp()).await;
    upstream.forget();

    let response = wire.call_begun("lost", json!({}), None).await;

    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.json::<serde_json::Value>().await.expect("JSON"), error);
    assert_eq!((upstream.asked("initialize").await.len(), upstream.asked("tools/call").await.len()), (2, 2));
    assert_eq!(wire.say("echo", json!({})).await, "echo in upstream-2");
}

#[tokio::test]
async fn a_404_that_stays_and_says_nothing_is_a_502() {
    let upstream = Upstream::start().await;
    upstream.on_call("lost", ResponseTemplate::new(404).set_body_raw("<h1>Not Found</h1>", "text/html")).await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let wire = Wire::open(&gateway.mcp()).await;
    upstream.forget();

    let refusal = Refusal::of(wire.call_begun("lost", json!({}), None).await).await;

    assert_eq!((refusal.status, refusal.id), (502, json!("lost")));
    assert!(refusal.text.contains("could not restore the session; try again"), "{}", refusal.text);
    assert_eq!((upstream.asked("initialize").await.len(), upstream.asked("tools/call").await.len()), (2, 2));
    assert_eq!(wire.say("echo", json!({})).await, "echo in upstream-2");
}

#[tokio::test]
async fn an_upstream_that_forgot_and_refuses_the_handshake_is_a_502_until_it_takes_it() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let wire = Wire::open(&gateway.mcp()).await;
    upstream.forget();
    upstream.on_next_message(json!({"method": "initialize"}), ResponseTemplate::new(500)).await;

    let refusal = Refusal::of(wire.call_begun("echo", json!({}), None).await).await;

    assert_eq!((refusal.status, refusal.id), (502, json!("echo")));
    assert!(refusal.text.contains("could not restore the session; try again"), "{}", refusal.text);
    assert_eq!(wire.say("echo", json!({})).await, "echo in upstream-2");
}

#[tokio::test]
async fn clients_keep_their_sessions_when_the_upstream_restarts() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let wire = Wire::open(&gateway.mcp()).await;
    assert_eq!(wire.say("echo", json!({})).await, "echo in upstream-1");
    let address = upstream.address();
    drop(upstream);

    eventually("calls are told that the upstream is away", async || {
        let refusal = Refusal::of(wire.call_begun("echo", json!({}), None).await).await;
        assert_eq!(refusal.status, 502, "{}", refusal.text);
        refusal.text.contains("cannot be reached")
    })
    .await;
    let same_port = async || TcpListener::bind(address).ok();
    let restarted = Upstream::on(found_within("the port again", PATIENCE, same_port).await).await;

    assert_eq!(wire.say("echo", json!({})).await, "echo in upstream-1");
    assert_eq!(restarted.asked("initialize").await.len(), 1, "the new one was told the handshake");
}

#[tokio::test]
async fn the_upstreams_session_ends_with_the_clients_whatever_the_upstream_says_to_that() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let wire = Wire::open(&gateway.mcp()).await;
    assert_eq!(wire.say("echo", json!({})).await, "echo in upstream-1");

    // The upstream answers 202, of which clients complain.
    assert_eq!(wire.delete().await, 204);

    assert_eq!(wire.status().await, 404);
    eventually("the upstream is told", async || upstream.deleted().await == ["upstream-1"]).await;
}
