//! Batches, which revision 2025-03-26 alone has, are their messages: each is handled as if it had come by itself, and one answer
//! is made of what came of them. The inner service never sees a batch.

use http::StatusCode;
use serde_json::{Value, json};

use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::inner::Scripted;
use crate::harness::raw::{Client, Events, LAST_EVENT_ID, Session, Whole, notification, request};
use crate::harness::replica::Replica;
use crate::harness::trio::Trio;

on_every_backend! {
    requests_of_a_batch_are_answered_in_one_array,
    a_batch_with_a_stream_in_it_is_answered_as_a_stream,
    answers_in_a_batch_find_their_questions_on_any_replica,
    an_answer_that_is_refused_does_not_lose_the_others,
    cancellations_and_shaping_calls_of_a_batch_reach_every_replica,
    a_challenge_that_every_request_meets_reaches_the_client,
    a_request_that_is_refused_does_not_lose_the_others,
    a_batch_is_not_begun_all_at_once,
    a_batch_goes_on_when_its_client_leaves,
    a_client_that_takes_only_streams_gets_one,
}

const VERSION: &str = "2025-03-26";

async fn open(backend: Backend) -> (Scripted, Replica, Session) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let session = Client::of(&replica).open(VERSION).await;
    (inner, replica, session)
}

async fn post(session: &Session, batch: &[Value]) -> Whole {
    session.client.post(&Value::Array(batch.to_vec())).await.whole().await
}

fn echo(id: impl Into<Value>) -> Value {
    let id = id.into();
    json!({ "jsonrpc": "2.0", "id": id, "method": "echo", "params": { "id": id } })
}

fn ids(messages: &[Value]) -> Vec<Value> {
    messages.iter().map(|message| message["id"].clone()).collect()
}

/// Every message the inner service saw was one, and as long as its head said.
fn assert_seen_one_by_one(inner: &Scripted) {
    for seen in inner.seen() {
        let message: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        assert!(message.is_object() || seen.body.is_empty(), "{message}");
        if let Some(length) = seen.header("content-length") {
            assert_eq!(length, seen.body.len().to_string());
        }
    }
}

async fn requests_of_a_batch_are_answered_in_one_array(backend: Backend) {
    let (inner, _replica, session) = open(backend).await;
    let unknown = request(3, "unknown", json!({}));
    let batch =
        [echo(1), notification("notifications/progress"), echo("two"), unknown, json!({ "id": 4, "method": "ping" })];
    let answer = post(&session, &batch).await;
    assert_eq!(
        (answer.status, &answer.headers["content-type"]),
        (StatusCode::OK, &"application/json".parse().unwrap())
    );
    let messages = answer.json().as_array().expect("an array").clone();
    assert_eq!(ids(&messages), [json!(1), json!("two"), json!(3), json!(4)]);
    assert_eq!((&messages[1]["result"]["id"], messages[2]["error"]["code"].is_i64()), (&json!("two"), true));
    assert_eq!(inner.asked("notifications/progress"), 1);
    let alone = post(&session, &[echo(5)]).await;
    assert_eq!(ids(alone.json().as_array().expect("an array, too")), [json!(5)]);
    assert_seen_one_by_one(&inner);
}

async fn a_batch_with_a_stream_in_it_is_answered_as_a_stream(backend: Backend) {
    let (inner, replica, session) = open(backend).await;
    let steps = |id: u64| request(id, "steps", json!({ "steps": 3, "gate": "g" }));
    let mut events =
        session.client.post(&json!([echo(1), steps(2), steps(3), request(4, "wait", json!({}))])).await.events();
    inner.release("g", 6);
    inner.let_one_go();
    let mut messages = Vec::new();
    while let Some(message) = events.next().await {
        messages.push(message);
    }
    let mut answered = ids(&messages);
    answered.retain(|id| !id.is_null());
    answered.sort_by_key(ToString::to_string);
    assert_eq!(answered, [json!(1), json!(2), json!(3), json!(4)]);
    assert_eq!(messages.iter().filter(|message| message["method"] == "notifications/progress").count(), 6);

    // A single request is resumed as it would be alone.
    let mut events: Events = session.client.post(&json!([steps(5)])).await.events();
    let cursor = events.take(1).await[0].cursor().to_owned();
    drop(events);
    inner.release("g", 3);
    let rest = session.client.at(&replica).with(LAST_EVENT_ID, &cursor).get().await.events().rest().await;
    assert_eq!(rest.last().expect("a response")["id"], 5);
    assert_seen_one_by_one(&inner);
}

fn answer(name: &Value, content: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": name, "result": { "action": "accept", "content": { "answer": content } } })
}

/// Calls a tool that asks; returns its stream and the name of the question.
async fn ask(session: &Session, id: u64) -> (Events, Value) {
    let mut stream = session.begin(id, "ask", json!({})).await;
    loop {
        let message = stream.next().await.expect("a question");
        if message["method"] == "elicitation/create" {
            return (stream, message["id"].clone());
        }
    }
}

async fn answers_in_a_batch_find_their_questions_on_any_replica(backend: Backend) {
    let trio = Trio::start(backend).await;
    let session = trio.client().open(VERSION).await;
    let [a, b, c] = trio.everywhere(&session);
    assert!(b.works().await && c.works().await);
    let (one, first) = ask(&a, 1).await;
    let (two, second) = ask(&a, 2).await;
    let (three, third) = ask(&b, 3).await;
    let progress = json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "progressToken": first, "progress": 1 } });
    let batch = [progress, answer(&first, "one"), answer(&third, "three"), answer(&second, "two")];
    let taken = post(&c, &batch).await;
    assert_eq!((taken.status, taken.text()), (StatusCode::ACCEPTED, ""));
    for (stream, content) in [(one, "one"), (two, "two"), (three, "three")] {
        let last = stream.rest().await.pop().expect("a result");
        assert_eq!(last["result"]["answer"]["result"]["content"]["answer"], content);
    }
    assert_eq!(trio.inners[0].asked("notifications/progress"), 1);
    trio.inners.iter().for_each(assert_seen_one_by_one);
}

async fn an_answer_that_is_refused_does_not_lose_the_others(backend: Backend) {
    let (inner, _replica, session) = open(backend).await;
    let (stream, name) = ask(&session, 1).await;
    let batch = [
        answer(&json!("nobody asked"), "x"),
        answer(&name, "good"),
        answer(&json!(0), "y"),
        notification("notifications/x"),
    ];
    let refused = post(&session, &batch).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let text = refused.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(text.contains("No question with this id") && text.ends_with("batch of 4: message 1, 3"), "{text}");
    let last = stream.rest().await.pop().expect("a result");
    assert_eq!(last["result"]["answer"]["result"]["content"]["answer"], "good");
    assert_eq!(inner.asked("notifications/x"), 1);

    let with_request = post(&session, &[answer(&json!("nobody asked"), "x"), echo(7)]).await;
    assert_eq!(with_request.status, StatusCode::OK);
    let messages = with_request.json().as_array().expect("an array").clone();
    assert_eq!(ids(&messages), [json!(7), Value::Null]);
    assert!(messages[1]["error"]["message"].as_str().unwrap().ends_with("batch of 2: message 1"), "{messages:?}");
}

async fn cancellations_and_shaping_calls_of_a_batch_reach_every_replica(backend: Backend) {
    let trio = Trio::start(backend).await;
    let session = trio.client().open(VERSION).await;
    let [a, b, c] = trio.everywhere(&session);
    assert!(b.works().await);
    let cancel =
        |id: u64| json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
    let shape = request(3, "logging/setLevel", json!({ "level": "error" }));
    let answer = post(&a, &[cancel(1), shape, cancel(2)]).await;
    assert_eq!(ids(answer.json().as_array().unwrap()), [json!(3)]);
    for inner in &trio.inners[..2] {
        eventually("both cancellations arrive", async || inner.asked("notifications/cancelled") == 2).await;
        eventually("so does the call", async || inner.asked("logging/setLevel") == 1).await;
    }
    assert!(c.works().await);
    assert_eq!(trio.inners[2].asked("logging/setLevel"), 1, "who learns of the session later is told");
    trio.inners.iter().for_each(assert_seen_one_by_one);
}

fn refused(id: u64, status: u16) -> Value {
    request(
        id,
        "literal",
        json!({ "status": status, "headers": { "www-authenticate": "Bearer realm=\"x\"" }, "body": "no" }),
    )
}

async fn a_challenge_that_every_request_meets_reaches_the_client(backend: Backend) {
    let (_inner, _replica, session) = open(backend).await;
    let answer = post(&session, &[refused(1, 401), refused(2, 401), notification("notifications/x")]).await;
    assert_eq!((answer.status, answer.text()), (StatusCode::UNAUTHORIZED, "no"));
    assert_eq!(answer.headers["www-authenticate"], "Bearer realm=\"x\"");
}

async fn a_request_that_is_refused_does_not_lose_the_others(backend: Backend) {
    let (_inner, _replica, session) = open(backend).await;
    let answer =
        post(&session, &[refused(1, 500), echo(2), request(3, "not-found", json!({})), request(4, "panic", json!({}))])
            .await;
    assert_eq!(answer.status, StatusCode::OK);
    let messages = answer.json().as_array().expect("an array").clone();
    assert_eq!(ids(&messages), [json!(1), json!(2), json!(3), json!(4)]);
    let text = |at: usize| messages[at]["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(text(0).contains("status 500"), "{messages:?}");
    assert_eq!((&messages[1]["result"]["id"], &*text(2)), (&json!(2), "no such thing"));
    assert!(text(3).contains("failed while it handled this request"), "{messages:?}");
    assert!(session.works().await);
}

async fn a_batch_is_not_begun_all_at_once(backend: Backend) {
    let (inner, _replica, session) = open(backend).await;
    let before = inner.finished();
    let waits: Vec<Value> = (1..=20).map(|id| request(id, "wait", json!({}))).collect();
    let batch = tokio::spawn({
        let (session, mut batch) = (session.clone(), waits);
        batch.push(notification("notifications/last"));
        async move { post(&session, &batch).await }
    });
    eventually("some are begun", async || inner.running() == 8).await;
    eventually("what is no request does not wait for them", async || inner.asked("notifications/last") == 1).await;
    assert_eq!(inner.asked("wait"), 8);
    for done in 1..=20 {
        inner.let_one_go();
        eventually("one is done, and the next begun", async || {
            inner.finished() == before + done && inner.running() == (20 - done).min(8)
        })
        .await;
    }
    let answer = batch.await.unwrap();
    assert_eq!(ids(answer.json().as_array().unwrap()), (1..=20).map(|id| json!(id)).collect::<Vec<_>>());
}

async fn a_batch_goes_on_when_its_client_leaves(backend: Backend) {
    let (inner, _replica, session) = open(backend).await;
    let before = inner.finished();
    let waits: Vec<Value> = (1..=10).map(|id| request(id, "wait", json!({}))).collect();
    let left = tokio::spawn({
        let session = session.clone();
        async move { post(&session, &waits).await }
    });
    eventually("some are begun", async || inner.running() == 8).await;
    left.abort();
    for _ in 0..10 {
        inner.let_one_go();
    }
    eventually("all are done", async || inner.finished() == before + 10).await;
    assert!(session.works().await);
}

async fn a_client_that_takes_only_streams_gets_one(backend: Backend) {
    let (_inner, _replica, session) = open(backend).await;
    let client = session.client.with("accept", "text/event-stream");
    let messages = client.post(&json!([echo(1), echo(2)])).await.events().rest().await;
    let mut answered = ids(&messages);
    answered.sort_by_key(ToString::to_string);
    assert_eq!(answered, [json!(1), json!(2)]);
}
