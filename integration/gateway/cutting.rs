//! Upstreams that hang up: before they say anything, within an answer, within an event.

use serde_json::json;
use tokio::join;

use super::by_hand::{ByHand, STREAM};
use super::{Refusal, gateway};
use crate::harness::wire::{Wire, messages_in};

const STEP: &str =
    r#"data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"step"}}"#;

#[tokio::test]
async fn a_connection_cut_before_the_head_is_a_502_that_advises_to_check() {
    let upstream = ByHand::listen().await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let wire = upstream.open(&gateway).await;

    let (response, ()) =
        join!(wire.call_begun("pay", json!({}), None), async { drop(upstream.asked("\"pay\"").await) });

    let refusal = Refusal::of(response).await;
    assert_eq!((refusal.status, refusal.id), (502, json!(null)));
    assert!(refusal.text.contains("hung up before it answered") && refusal.text.contains("check"), "{}", refusal.text);
    upstream.serve_a_call(&wire).await;
}

#[tokio::test]
async fn a_connection_cut_before_the_answer_to_initialize_opens_nothing() {
    let upstream = ByHand::listen().await;
    let gateway = gateway(&upstream.mcp(), &[]).await;

    let stranger = Wire::stranger(&gateway.mcp());
    let (response, ()) = join!(stranger.initialize(), async { drop(upstream.asked("\"initialize\"").await) });

    assert_eq!(response.headers().get("mcp-session-id"), None);
    let refusal = Refusal::of(response).await;
    assert_eq!(refusal.status, 502);
    assert!(refusal.text.contains("hung up"), "{}", refusal.text);
    let wire = upstream.open(&gateway).await;
    upstream.serve_a_call(&wire).await;
}

#[tokio::test]
async fn half_an_answer_to_initialize_opens_nothing() {
    let upstream = ByHand::listen().await;
    let gateway = gateway(&upstream.mcp(), &[]).await;

    let stranger = Wire::stranger(&gateway.mcp());
    let (response, ()) = join!(stranger.initialize(), async {
        let mut asked = upstream.asked("\"initialize\"").await;
        asked.say("HTTP/1.1 200 OK\r\nmcp-session-id: half\r\ncontent-type: application/json\r\n").await;
        asked.say("content-length: 200\r\nconnection: close\r\n\r\n{\"jsonrpc\":").await;
    });

    assert_eq!(response.headers().get("mcp-session-id"), None);
    let refusal = Refusal::of(response).await;
    assert_eq!(refusal.status, 502);
    assert!(refusal.text.contains("no readable answer"), "{}", refusal.text);
    // What it may have opened is closed again.
    let farewell = upstream.asked("DELETE /mcp").await;
    assert!(farewell.read().contains("mcp-session-id: half"), "{}", farewell.read());
}

#[tokio::test]
async fn half_an_event_is_never_taken_for_an_answer() {
    let upstream = ByHand::listen().await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let wire = upstream.open(&gateway).await;

    let (response, ()) = join!(wire.call_begun("pay", json!({}), None), async {
        let mut asked = upstream.asked("\"pay\"").await;
        asked.say(STREAM).await;
        asked.say_chunk("data: {\"jsonrpc\":\"2.0\",\"id\":\"pay\",\"resu").await;
    });

    // Either the client's stream breaks as well, or it ends with an error for the call. It never looks complete without.
    assert_eq!(response.status(), 200);
    if let Ok(body) = response.text().await {
        let last = messages_in(&body).pop().unwrap_or_default();
        assert_eq!((&last["id"], last["error"]["code"].is_i64()), (&json!("pay"), true), "{body}");
    }
    upstream.serve_a_call(&wire).await;
}

#[tokio::test]
async fn a_stream_cut_between_events_ends_with_an_error_for_the_call() {
    let upstream = ByHand::listen().await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let wire = upstream.open(&gateway).await;

    let (response, ()) = join!(wire.call_begun("pay", json!({}), None), async {
        let mut asked = upstream.asked("\"pay\"").await;
        asked.say(STREAM).await;
        asked.say_chunk(&format!("{STEP}\n\n")).await;
    });

    assert_eq!(response.status(), 200);
    let body = response.text().await.expect("the stream ends, and does not break");
    let [step, error] = messages_in(&body).try_into().unwrap_or_else(|_| panic!("two messages: {body}"));
    assert_eq!((&step["params"]["data"], &error["id"]), (&json!("step"), &json!("pay")));
    let text = error["error"]["message"].as_str().unwrap_or_default();
    assert!(text.contains("the session lives on"), "{body}");
    upstream.serve_a_call(&wire).await;
}

#[tokio::test]
async fn half_a_json_answer_breaks_off_at_the_client_too() {
    let upstream = ByHand::listen().await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let wire = upstream.open(&gateway).await;

    let (response, ()) = join!(wire.call_begun("pay", json!({}), None), async {
        let mut asked = upstream.asked("\"pay\"").await;
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
        asked.say(&format!("{head}content-length: 200\r\n\r\n{{\"jsonrpc\":")).await;
    });

    let status = response.status();
    let read = response.text().await;
    assert!(read.is_err() || status == 502, "{status}: {read:?}");
    upstream.serve_a_call(&wire).await;
}
