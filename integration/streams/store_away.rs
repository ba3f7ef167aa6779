//! The store goes away and comes back while streams are open; or its bus loses every message.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use super::{assert_rising, assert_silent, assert_steps_and_result, word, words_in};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::{eventually, within};
use crate::harness::trio::Trio;

on_every_backend! {
    a_stream_stays_open_while_the_store_is_away_and_loses_nothing,
    past_what_can_be_held_the_client_is_sent_away_and_gets_the_rest_later,
    without_the_bus_an_answer_still_arrives,
    without_the_bus_a_cancellation_still_arrives,
    without_the_bus_a_resumed_stream_still_goes_on,
    without_the_bus_a_listener_still_hears,
}

/// The promise is about a second, five for the listening stream; the rest is for a machine with much else to do.
const LATE: Duration = Duration::from_secs(5);
const LATE_TO_LISTENERS: Duration = Duration::from_secs(9);

async fn a_stream_stays_open_while_the_store_is_away_and_loses_nothing(backend: Backend) {
    const STEPS: u64 = 8;
    let trio = Trio::start(backend).await;
    let session = trio.open().await;
    let mut stream = session.begin(1, "steps", json!({ "steps": STEPS })).await;
    let mut events = stream.take(2).await.split_off(1);
    let mut resumed = session.at(&trio.replicas[1]).resume(events[0].cursor()).await;
    resumed.take(1).await;
    for _ in 0..2 {
        trio.store.set_down(true);
        trio.inners[0].release("", 2);
        eventually("the steps are taken", async || trio.inners[0].is_taken("")).await;
        assert_silent(&mut stream, Duration::from_millis(300)).await;
        trio.store.set_down(false);
        events.extend(stream.take(2).await);
    }
    trio.inners[0].release("", STEPS);
    events.extend(stream.all().await);
    assert_steps_and_result(&events, 1, STEPS);
    assert_rising(&events);
    assert_eq!(resumed.all().await, events[1..], "and so is the one that reads on another replica");
}

async fn past_what_can_be_held_the_client_is_sent_away_and_gets_the_rest_later(backend: Backend) {
    const COUNT: u64 = 300;
    let trio = Trio::with(backend, |builder| builder.stream_log(1000, 64 << 20, LATE * 100)).await;
    let session = trio.open().await;
    let mut stream = session.begin(1, "flood", json!({ "count": COUNT, "size": 10 << 10 })).await;
    let mut events = stream.take(2).await.split_off(1);
    trio.store.set_down(true);
    trio.inners[0].release("", 1);
    let last_words = stream.all().await;
    assert_eq!(last_words.len(), 1, "{last_words:?}");
    assert_eq!((last_words[0].retry, &last_words[0].message), (Some(1000), &None));
    let refused = session.at(&trio.replicas[1]).try_to_resume(events[0].cursor()).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(trio.inners[0].running(), 1, "the call is neither finished nor dropped");
    trio.store.set_down(false);
    let mut resumed = session.at(&trio.replicas[1]).resume(events[0].cursor()).await;
    assert_eq!(resumed.event().await.expect("a priming event").message, None);
    events.extend(resumed.all().await);
    assert_steps_and_result(&events[1..], 1, COUNT);
    assert_rising(&events);
}

async fn without_the_bus_an_answer_still_arrives(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [here, _, elsewhere] = trio.open_everywhere().await;
    trio.store.silence_bus();
    let mut stream = here.begin(1, "ask", json!({})).await;
    let asked = stream.take(2).await.pop().expect("a question");
    let answer = json!({ "jsonrpc": "2.0", "id": asked.message()["id"], "result": { "action": "decline" } });
    assert_eq!(elsewhere.client.post(&answer).await.status, StatusCode::ACCEPTED);
    let rest = tokio::time::timeout(LATE, stream.all()).await.expect("the answer arrives");
    assert_eq!(rest[0].message()["result"]["answer"]["result"]["action"], "decline");
}

async fn without_the_bus_a_cancellation_still_arrives(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [here, there, _] = trio.open_everywhere().await;
    trio.store.silence_bus();
    let mut stream = here.begin(1, "steps", json!({ "steps": 2 })).await;
    stream.take(2).await;
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } });
    assert_eq!(there.client.post(&cancel).await.status, StatusCode::ACCEPTED);
    let inner = &trio.inners[0];
    within(LATE, "the cancellation arrives", async || inner.asked("notifications/cancelled") == 1).await;
}

async fn without_the_bus_a_resumed_stream_still_goes_on(backend: Backend) {
    const STEPS: u64 = 3;
    let trio = Trio::start(backend).await;
    let session = trio.open().await;
    let mut stream = session.begin(1, "steps", json!({ "steps": STEPS })).await;
    let cursor = stream.take(2).await[1].cursor().to_owned();
    trio.store.silence_bus();
    let mut resumed = session.at(&trio.replicas[1]).resume(&cursor).await;
    resumed.take(1).await;
    trio.inners[0].release("", STEPS);
    let rest = tokio::time::timeout(LATE, resumed.all()).await.expect("the rest arrives");
    assert_steps_and_result(&rest, 2, STEPS);
    assert_eq!(rest, stream.all().await);
}

async fn without_the_bus_a_listener_still_hears(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [_, there, _] = trio.open_everywhere().await;
    let mut listening = there.listen().await;
    listening.take(1).await;
    trio.all_heard().await;
    trio.store.silence_bus();
    trio.inners[0].say(&word("here"));
    trio.inners[2].say(&word("elsewhere"));
    let mut heard = tokio::time::timeout(LATE_TO_LISTENERS, listening.take(2)).await.map(|heard| words_in(&heard));
    heard.as_mut().expect("what was said arrives").sort();
    assert_eq!(heard.unwrap(), ["elsewhere", "here"]);
}
