//! A replica that is told to stop answers what it has begun, sends its listeners elsewhere, and is gone in time.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::eventually::eventually;
use crate::harness::process::{Exit, Process};
use crate::harness::wire::{Wire, answer_in, messages_in, read_until};

/// The promise is ten seconds; the rest is for a machine with much else to do.
const GONE_WITHIN: Duration = Duration::from_secs(13);

#[tokio::test]
async fn sigterm_lets_a_streamed_call_finish() {
    a_streamed_call_finishes(Signal::TERM).await;
}

#[tokio::test]
async fn sigint_lets_a_streamed_call_finish() {
    a_streamed_call_finishes(Signal::INT).await;
}

async fn a_streamed_call_finishes(signal: Signal) {
    let mut server = Process::server(&[]).await;
    let wire = Wire::open(&server.mcp()).await;
    let mut stream = wire.call_begun("countdown", json!({"from": 8, "interval_ms": 200}), Some("steps")).await;
    let mut body = read_until(&mut stream, "notifications/progress").await;

    server.signal(signal);
    body.push_str(&stream.text().await.expect("the stream ends, and does not break"));

    let steps = messages_in(&body).iter().filter(|message| message["method"] == "notifications/progress").count();
    assert_eq!(steps, 8, "{body}");
    assert_eq!(text_of(&answer_in(&body)), "counted to 8");
    left_in_good_order(&server.exit().await);
}

#[tokio::test]
async fn sigterm_lets_a_slow_call_finish() {
    a_slow_call_finishes(Signal::TERM).await;
}

#[tokio::test]
async fn sigint_lets_a_slow_call_finish() {
    a_slow_call_finishes(Signal::INT).await;
}

/// Answered as JSON, so nothing comes back before the answer: that the call has begun is in the log alone.
async fn a_slow_call_finishes(signal: Signal) {
    let mut server = Process::logging_server("rmcp=debug", &["--stateless"]).await;
    let wire = Wire::open(&server.mcp()).await;
    let call = tokio::spawn(async move { wire.say("countdown", json!({"from": 1, "interval_ms": 2000})).await });
    eventually("the call has begun", async || server.stderr().contains("countdown")).await;

    server.signal(signal);

    assert_eq!(call.await.expect("an answer"), "counted to 1");
    left_in_good_order(&server.exit().await);
}

#[tokio::test]
async fn sigterm_ends_listening_streams_with_a_retry() {
    listening_ends_with_a_retry(Signal::TERM, &[]).await;
}

#[tokio::test]
async fn sigint_ends_listening_streams_with_a_retry() {
    listening_ends_with_a_retry(Signal::INT, &[]).await;
}

#[tokio::test]
async fn the_listening_stream_of_a_stateless_server_ends_with_a_retry_too() {
    listening_ends_with_a_retry(Signal::TERM, &["--stateless"]).await;
}

async fn listening_ends_with_a_retry(signal: Signal, arguments: &[&str]) {
    let mut server = Process::server(arguments).await;
    let wire = Wire::open(&server.mcp()).await;
    let stream = wire.listen().await;
    assert_eq!(stream.status(), 200, "GET");

    server.signal(signal);

    let body = stream.text().await.expect("the stream ends, and does not break");
    let last = body.lines().rfind(|line| !line.is_empty());
    assert!(last.is_some_and(|line| line.starts_with("retry:")), "{body:?}");
    left_in_good_order(&server.exit().await);
}

#[tokio::test]
async fn a_call_of_minutes_does_not_hold_the_process() {
    let mut server = Process::server(&[]).await;
    let wire = Wire::open(&server.mcp()).await;
    let mut stream = wire.call_begun("countdown", json!({"from": 600, "interval_ms": 500}), Some("steps")).await;
    read_until(&mut stream, "notifications/progress").await;

    server.signal(Signal::TERM);

    left_in_good_order(&server.exit().await);
}

#[tokio::test]
async fn clients_that_only_keep_their_connection_hold_nothing() {
    let server = Process::server(&[]).await;
    let wire = Wire::open(&server.mcp()).await;
    assert_eq!(wire.status().await, 200);

    let exit = server.terminate().await;

    left_in_good_order(&exit);
    assert!(exit.took < Duration::from_secs(5), "{exit:?}");
}

#[track_caller]
fn left_in_good_order(exit: &Exit) {
    assert!(exit.status.success(), "{exit:?}");
    assert!(exit.took < GONE_WITHIN, "{exit:?}");
    assert!(!exit.stderr.contains("panicked"), "{exit:?}");
}

fn text_of(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {answer}"))
}
