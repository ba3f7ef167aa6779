//! Letters outlast a store that fails once: a flag falls after what it stands for was done, and not before.

use http::StatusCode;
use serde_json::{Value, json};
use tower_mcp_sessions::InnerSessions;

use super::{word, words_in};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::inner::{Scripted, Seen};
use crate::harness::raw::Session;
use crate::harness::trio::Trio;

on_every_backend! {
    a_letter_outlasts_a_look_that_failed,
    a_request_is_preceded_by_the_letters_that_a_look_left,
    a_silent_bus_and_a_failed_look_lose_no_letter,
    what_fell_out_of_the_inbox_is_told_though_that_failed_once,
    a_question_nobody_waits_for_is_closed_though_that_failed_once,
    what_was_said_to_a_listener_that_moves_on_is_heard,
}

/// More often than any test asks.
const ALWAYS: u64 = 1_000_000;

async fn shape(session: &Session, method: &str, params: Value) {
    assert_eq!(session.call(method, params).await.status, StatusCode::OK);
}

/// The resources that a service was told to watch.
fn watched(inner: &Scripted) -> Vec<String> {
    let subscribed = inner.seen().into_iter().filter(|seen| seen.method() == "resources/subscribe");
    let uri = |seen: Seen| serde_json::from_slice::<Value>(&seen.body).unwrap()["params"]["uri"].to_string();
    subscribed.map(uri).collect()
}

async fn a_letter_outlasts_a_look_that_failed(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [a, ..] = trio.open_everywhere().await;
    // The bell rings for each replica once.
    trio.store.fail("letters", 3);
    shape(&a, "resources/subscribe", json!({ "uri": "note:1" })).await;
    for inner in &trio.inners {
        eventually("every inner service is told", async || watched(inner) == [r#""note:1""#]).await;
    }
    assert_eq!(trio.store.failures_left("letters"), 0);
}

async fn a_request_is_preceded_by_the_letters_that_a_look_left(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [a, b, _] = trio.open_everywhere().await;
    trio.store.fail("letters", 3);
    shape(&a, "resources/subscribe", json!({ "uri": "note:1" })).await;
    eventually("all looks failed", async || trio.store.failures_left("letters") == 0).await;
    assert!(b.works().await);
    let methods: Vec<String> = trio.inners[1].seen().iter().map(Seen::method).collect();
    let at = |name: &str| methods.iter().rposition(|method| method == name);
    assert!(at("resources/subscribe") < at("echo") && at("resources/subscribe").is_some(), "{methods:?}");
}

/// A replica that waits for an answer looks without a bell; what it finds out then is not forgotten with what it waited for.
async fn a_silent_bus_and_a_failed_look_lose_no_letter(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [a, b, _] = trio.open_everywhere().await;
    trio.store.silence_bus();
    let mut stream = b.begin(7, "steps", json!({ "steps": 1, "gate": "steps" })).await;
    stream.take(2).await;
    trio.store.fail("letters", ALWAYS);
    shape(&a, "resources/subscribe", json!({ "uri": "note:1" })).await;
    let before = trio.store.failures_left("letters");
    eventually("a look failed", async || trio.store.failures_left("letters") < before).await;
    trio.inners[1].release("steps", 1);
    stream.all().await;
    trio.store.fail("letters", 0);
    eventually("the inner service is told", async || watched(&trio.inners[1]) == [r#""note:1""#]).await;
}

async fn what_fell_out_of_the_inbox_is_told_though_that_failed_once(backend: Backend) {
    const KEPT: usize = 256;
    let trio = Trio::start(backend).await;
    let [a, ..] = trio.open_everywhere().await;
    trio.store.fail("letters", ALWAYS);
    shape(&a, "resources/subscribe", json!({ "uri": "note:1" })).await;
    for _ in 0..=KEPT {
        shape(&a, "logging/setLevel", json!({ "level": "debug" })).await;
    }
    trio.store.fail("blueprint", 3);
    trio.store.fail("letters", 0);
    for inner in &trio.inners[1..] {
        let is_told = async || watched(inner).first().is_some_and(|uri| uri == r#""note:1""#);
        eventually("what the inbox no longer holds is told", is_told).await;
    }
    assert_eq!(trio.store.failures_left("blueprint"), 0);
}

async fn a_question_nobody_waits_for_is_closed_though_that_failed_once(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [a, b, _] = trio.open_everywhere().await;
    let mut stream = a.begin(1, "ask", json!({ "impatient": true })).await;
    let name = stream.take(2).await.pop().expect("a question").message()["id"].clone();
    trio.store.fail("settle", 1);
    trio.inners[0].release("", 1);
    stream.all().await;
    eventually("it is closed", async || trio.store.settled() == 1).await;
    assert_eq!(trio.store.failures_left("settle"), 0);
    let answer = json!({ "jsonrpc": "2.0", "id": name, "result": { "action": "accept", "content": {} } });
    assert_eq!(b.client.post(&answer).await.status, StatusCode::BAD_REQUEST, "nobody waits for this answer");
}

/// The one inner service has said it to the replica that listens no more, which could not write it down yet.
async fn what_was_said_to_a_listener_that_moves_on_is_heard(backend: Backend) {
    let trio = Trio::in_front_of_one(backend, |builder| builder.inner_sessions(InnerSessions::Shared)).await;
    let inner = trio.inners[0].clone();
    let [a, b, _] = trio.open_everywhere().await;
    let mut at_a = a.listen().await;
    at_a.take(1).await;
    eventually("it is heard", async || inner.ears() == 1).await;
    trio.store.fail("append", ALWAYS);
    inner.say(&word("said"));
    eventually("it cannot be written", async || trio.store.failures_left("append") < ALWAYS).await;
    let mut at_b = b.listen().await;
    at_b.take(1).await;
    at_a.all().await;
    let asked_for_streams = || inner.seen().iter().filter(|seen| seen.http_method == "GET").count();
    eventually("only the second replica is told", async || asked_for_streams() == 2 && inner.ears() == 1).await;
    trio.store.fail("append", 0);
    assert_eq!(words_in(&at_b.take(1).await), ["said"]);
}
