//! Streams and answers on several replicas: what is said on one is heard on another, whole and once.

mod answering;
mod bounds;
mod letters;
mod listening;
mod processes;
mod resuming;
mod shaping;
mod store_away;

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use tokio::time::timeout;

use crate::harness::inner::step;
use crate::harness::raw::{Event, Events, Whole};

/// The steps among some events, by number.
fn steps_in(events: &[Event]) -> Vec<u64> {
    let messages = events.iter().filter_map(|event| event.message.as_ref());
    // Some inner services write them as floats.
    messages.filter_map(|message| message["params"]["progress"].as_f64()).map(|progress| progress as u64).collect()
}

/// Expects so many steps, beginning with this one, and then the result.
fn assert_steps_and_result(events: &[Event], first: u64, last: u64) {
    let (result, before) = events.split_last().expect("events");
    assert_eq!(steps_in(before), (first..=last).collect::<Vec<_>>());
    assert_eq!(before.len() as u64, last + 1 - first, "nothing but steps");
    assert!(before.iter().all(|event| event.message()["method"] == step(0)["method"]));
    assert!(result.message()["result"].is_object(), "{result:?}");
}

/// The position in an event id.
fn position(event: &Event) -> u64 {
    let (_, position) = event.cursor().rsplit_once('.').expect("a position");
    position.parse().expect("a number")
}

/// Expects that ids rise strictly.
fn assert_rising(events: &[Event]) {
    assert!(events.windows(2).all(|pair| position(&pair[0]) < position(&pair[1])), "{events:?}");
}

/// Expects a refusal that a client can read.
fn assert_refused(answer: &Whole, status: StatusCode) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert!(answer.json()["error"]["code"].is_i64(), "{}", answer.text());
}

/// Expects that nothing comes for a while.
pub(crate) async fn assert_silent(stream: &mut Events, span: Duration) {
    if let Ok(event) = timeout(span, stream.event()).await {
        panic!("nothing should have come, not even the end: {event:?}");
    }
}

/// The data of a log message the service says by itself.
pub(crate) fn word(text: &str) -> Value {
    serde_json::json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": "info", "data": text } })
}

/// What the log messages among some events say.
pub(crate) fn words_in(events: &[Event]) -> Vec<String> {
    let messages = events.iter().filter_map(|event| event.message.as_ref());
    messages.filter_map(|message| message["params"]["data"].as_str()).map(str::to_owned).collect()
}
