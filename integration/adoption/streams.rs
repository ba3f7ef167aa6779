//! What the anonymous holder had open ends, and what it had not heard is the adopter's.

use http::StatusCode;
use serde_json::{Value, json};

use super::{assert_foreign, of, statuses};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::inner::question;
use crate::harness::raw::{Events, LAST_EVENT_ID, Session};
use crate::harness::trio::Trio;

on_every_backend! {
    the_anonymous_holders_streams_end_on_every_replica,
    where_the_bus_is_not_heard_they_end_all_the_same,
    the_adopter_listens_on_where_the_anonymous_holder_was,
    an_older_question_is_the_adopters_to_answer,
}

/// Reads a stream to its end, whatever still comes, and however it ends.
async fn end(mut stream: Events) -> Vec<Value> {
    let mut heard = Vec::new();
    while let Some(event) = stream.event().await {
        heard.extend(event.message);
    }
    heard
}

fn note(number: u64) -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": "info", "data": number } })
}

/// A listening stream at a session's replica, and the cursor it begins with.
async fn listen(session: &Session) -> (Events, String) {
    let mut listening = session.listen().await;
    let primed = listening.take(1).await.pop().expect("a first event");
    (listening, primed.cursor().to_owned())
}

async fn the_anonymous_holders_streams_end_on_every_replica(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [a, b, c] = trio.open_everywhere().await;
    let (listening, cursor) = listen(&a).await;
    trio.all_heard().await;
    let mut call = c.stream("stream").await;
    let begun = call.take(2).await;

    assert!(of(&b, "alice").works().await);

    assert_eq!(end(listening).await, [] as [Value; 0]);
    assert_eq!(end(call).await, [] as [Value; 0], "the answer is nobody's");
    trio.inners[2].let_one_go();
    assert_foreign(&trio, &a, "alice").await;
    for session in trio.everywhere(&a) {
        for stranger in [session.clone(), of(&session, "mallory")] {
            for cursor in [&cursor, begun[1].cursor()] {
                assert_eq!(stranger.client.with(LAST_EVENT_ID, cursor).get().await.status, StatusCode::NOT_FOUND);
            }
        }
        let resumed = of(&session, "alice").client.with(LAST_EVENT_ID, begun[1].cursor()).get().await;
        assert_eq!(resumed.status, StatusCode::BAD_REQUEST, "a call of before is over for its adopter, too");
    }
}

async fn where_the_bus_is_not_heard_they_end_all_the_same(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [a, b, c] = trio.open_everywhere().await;
    let (listening, cursor) = listen(&a).await;
    trio.all_heard().await;
    let mut call = c.begin(1, "steps", json!({ "steps": 2, "gate": "g" })).await;
    call.take(2).await;
    let opened = || trio.inners.each_ref().map(|inner| (inner.minted(), inner.asked("initialize")));
    let before = opened();
    trio.store.silence_bus();

    assert!(of(&b, "alice").works().await);

    trio.inners[2].release("g", 2);
    trio.inners[0].mutter(&note(1));
    assert_eq!(end(call).await, [] as [Value; 0], "what is written for it is refused");
    assert_eq!(end(listening).await, [] as [Value; 0]);
    let mut resumed = of(&b, "alice").resume(&cursor).await;
    assert_eq!(resumed.next().await, Some(note(1)), "what is said before a replica has heard of it is the adopter's");
    eventually("no replica serves it from its cache", async || statuses(&trio, &a).await == [404; 3]).await;
    assert_eq!(statuses(&trio, &of(&a, "alice")).await, [200; 3]);
    assert_eq!(opened(), before, "the inner services go on with the session they have");
}

async fn the_adopter_listens_on_where_the_anonymous_holder_was(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [a, b, c] = trio.open_everywhere().await;
    let (mut listening, _) = listen(&a).await;
    trio.all_heard().await;
    trio.inners[1].say(&note(0));
    let heard = listening.take(1).await.pop().expect("it is heard");
    assert_eq!(heard.message(), &note(0));

    assert!(of(&b, "alice").works().await);
    assert_eq!(end(listening).await, [] as [Value; 0]);

    trio.all_heard().await;
    for (number, inner) in (1..).zip(&trio.inners) {
        inner.say(&note(number));
    }
    let mut resumed = of(&c, "alice").resume(heard.cursor()).await;
    let mut told = Vec::new();
    while told.len() < 3 {
        told.extend(resumed.event().await.expect("the stream stays open").message);
    }
    told.sort_by_key(|note| note["params"]["data"].as_u64());
    assert_eq!(told, [note(1), note(2), note(3)], "each once");
}

async fn an_older_question_is_the_adopters_to_answer(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [a, b, c] = trio.open_everywhere().await;
    let (mut listening, _) = listen(&a).await;
    trio.all_heard().await;
    trio.inners[0].say(&question(7));
    let asked = listening.take(1).await.pop().expect("a question").message()["id"].clone();
    let answer = |content: &str| {
        let content = json!({ "answer": content });
        json!({ "jsonrpc": "2.0", "id": asked, "result": { "action": "accept", "content": content } })
    };

    assert!(of(&b, "alice").works().await);
    assert_foreign(&trio, &a, "alice").await;

    for stranger in [&a, &c, &of(&a, "mallory")] {
        assert_eq!(stranger.client.post(&answer("foreign")).await.status, StatusCode::NOT_FOUND);
    }
    let other = of(&trio.open().await, "alice");
    assert_eq!(other.client.post(&answer("of another session")).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(of(&c, "alice").client.post(&answer("hers")).await.status, StatusCode::ACCEPTED);
    eventually("it arrives", async || trio.inners[0].answers().len() == 1).await;
    assert_eq!(trio.inners[0].answers()[0]["result"]["content"]["answer"], "hers");
    assert_eq!(of(&c, "alice").client.post(&answer("twice")).await.status, StatusCode::BAD_REQUEST);
}
