//! Who held the session before is out at once, with everything that was under way; the new holder goes on where he was.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tower_mcp_sessions::SessionKey;
use tower_mcp_sessions::store::{StreamLog, StreamName};

use super::{Door, Holder, open_doors, trio};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::{eventually, soon};
use crate::harness::raw::{Event, Events, Session};
use crate::harness::trio::Trio;
use crate::streams::{assert_silent, word, words_in};

on_every_backend! {
    his_streams_end_and_hear_no_more,
    his_streams_end_even_if_the_bus_is_silent,
    what_he_was_asked_he_can_no_longer_answer,
    he_can_neither_end_nor_use_nor_resume_anything,
    the_new_holder_hears_what_was_missed,
}

/// A call at one replica and a listener at another, each with a message read.
async fn under_way(trio: &Trio, holder: &Holder) -> [Events; 2] {
    let [_, b, c] = trio.everywhere(&holder.session);
    let mut call = b.begin(5, "steps", json!({ "steps": 50, "gate": b.key() })).await;
    call.take(2).await;
    let mut listening = c.listen().await;
    listening.take(1).await;
    eventually("the inner services are heard", async || trio.inners[1..].iter().all(|inner| inner.ears() == 1)).await;
    trio.inners[2].say(&word("before"));
    assert_eq!(words_in(&listening.take(1).await), ["before"]);
    [call, listening]
}

/// Everything the inner services can say.
fn go_on(trio: &Trio, holder: &Holder) {
    for inner in &trio.inners {
        inner.release(holder.session.key(), 50);
        inner.mutter(&word("after"));
    }
}

/// Reads a stream to its end: not a message may be on it.
async fn assert_ends_in_silence(stream: Events) {
    let rest = soon("the stream ends", stream.all()).await;
    let messages: Vec<&Event> = rest.iter().filter(|event| event.message.is_some()).collect();
    assert!(messages.is_empty(), "{messages:?}");
}

async fn his_streams_end_and_hear_no_more(backend: Backend) {
    let trio = trio(backend).await;
    for door in Door::ALL {
        let old = Holder::open(&trio.client()).await;
        let [call, listening] = under_way(&trio, &old).await;
        let new = old.reconnect(door, &trio.replicas[0]).await;
        go_on(&trio, &old);
        assert_ends_in_silence(call).await;
        assert_ends_in_silence(listening).await;
        assert_eq!(new.statuses(&trio).await, [200; 3]);
        eventually("only the new session is open", async || trio.inners[1..].iter().all(|inner| inner.sessions() == 1))
            .await;
        assert_eq!(new.session.delete().await.status, StatusCode::NO_CONTENT);
        eventually("now none is", async || trio.inners[1..].iter().all(|inner| inner.sessions() == 0)).await;
    }
}

async fn his_streams_end_even_if_the_bus_is_silent(backend: Backend) {
    // Held sessions are told to the store every quarter of the idle timeout: then at the latest a replica learns of it.
    let brief = |_, builder| open_doors(builder).idle_timeout(Duration::from_secs(6));
    let trio = Trio::with_monitor(backend, brief).await;
    let old = Holder::open(&trio.client()).await;
    let [call, listening] = under_way(&trio, &old).await;
    trio.store.silence_bus();
    let new = old.reconnect(Door::Api, &trio.replicas[0]).await;
    go_on(&trio, &old);
    tokio::join!(assert_ends_in_silence(call), assert_ends_in_silence(listening));
    assert_eq!((old.statuses(&trio).await, new.statuses(&trio).await), ([404; 3], [200; 3]));
}

async fn what_he_was_asked_he_can_no_longer_answer(backend: Backend) {
    let trio = trio(backend).await;
    let old = Holder::open(&trio.client()).await;
    let mut stream = old.session.at(&trio.replicas[1]).begin(1, "ask", json!({})).await;
    let asked = stream.take(2).await.pop().expect("a question");
    let name = asked.message()["id"].clone();
    let answer: Value = json!({ "jsonrpc": "2.0", "id": name, "result": { "action": "accept", "content": {} } });

    let new = old.reconnect(Door::Header, &trio.replicas[0]).await;

    for session in trio.everywhere(&old.session) {
        let refused = session.client.post(&answer).await.whole().await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{}", refused.text());
    }
    for session in trio.everywhere(&new.session) {
        let refused = session.client.post(&answer).await.whole().await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "he was not asked: {}", refused.text());
    }
    assert_ends_in_silence(stream).await;
    let given: Vec<Value> = trio.inners.iter().flat_map(|inner| inner.answers()).collect();
    assert!(given.iter().all(|answer| answer["error"].is_object()), "nobody's answer reached the service: {given:?}");
}

async fn he_can_neither_end_nor_use_nor_resume_anything(backend: Backend) {
    let trio = trio(backend).await;
    let old = Holder::open(&trio.client()).await;
    let [_, b, c] = trio.everywhere(&old.session);
    let mut call = b.begin(5, "steps", json!({ "steps": 9, "gate": "gate" })).await;
    let mut listening = c.listen().await;
    let cursors = [call.take(2).await, listening.take(1).await].map(|read| read.last().unwrap().cursor().to_owned());

    let new = old.reconnect(Door::Header, &trio.replicas[0]).await;

    for session in trio.everywhere(&old.session) {
        assert_eq!(session.delete().await.status, StatusCode::NOT_FOUND);
        assert_eq!(session.client.get().await.status, StatusCode::NOT_FOUND);
        let word = crate::harness::raw::notification("notifications/cancelled");
        assert_eq!(session.client.post(&word).await.status, StatusCode::NOT_FOUND);
        for cursor in &cursors {
            assert_eq!(session.try_to_resume(cursor).await.status, StatusCode::NOT_FOUND);
        }
    }
    assert_eq!(new.statuses(&trio).await, [200; 3]);
    // What the old holder's call said is not the new one's either.
    for session in trio.everywhere(&new.session) {
        assert_eq!(session.try_to_resume(&cursors[0]).await.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(trio.store.ended(), [], "and nothing has ended");
}

async fn listen(session: &Session) -> Events {
    let mut listening = session.listen().await;
    listening.take(1).await;
    listening
}

async fn the_new_holder_hears_what_was_missed(backend: Backend) {
    let trio = trio(backend).await;
    for (round, door) in Door::ALL.into_iter().enumerate() {
        let old = Holder::open(&trio.client()).await;
        assert_eq!(old.statuses(&trio).await, [200; 3]);
        let mut listening = listen(&trio.everywhere(&old.session)[1]).await;
        trio.all_heard().await;
        trio.inners[0].say(&word("heard"));
        assert_eq!(words_in(&listening.take(1).await), ["heard"]);
        let departures = trio.store.departures();
        drop(listening);
        eventually("the listener has left", async || trio.store.departures() > departures).await;
        for (at, inner) in trio.inners.iter().enumerate() {
            inner.say(&word(&format!("missed {at}")));
        }
        let key = SessionKey::parse(old.session.key()).expect("a key");
        let kept = async || trio.store.read(&key, &StreamName::LISTEN, 0, 10).await.expect("the store reads").messages;
        eventually("they are kept", async || kept().await.len() == 4).await;

        let new = old.reconnect(door, &trio.replicas[round % 3]).await;

        let mut listening = listen(&trio.everywhere(&new.session)[2]).await;
        let mut missed = words_in(&listening.take(3).await);
        missed.sort();
        assert_eq!(missed, ["missed 0", "missed 1", "missed 2"], "{door:?}");
        assert_silent(&mut listening, Duration::from_millis(200)).await;
        // And what comes now, from wherever the session is in use.
        assert_eq!(new.statuses(&trio).await, [200; 3]);
        trio.all_heard().await;
        for inner in &trio.inners {
            inner.say(&word("now"));
        }
        assert_eq!(words_in(&listening.take(3).await), ["now"; 3]);
        assert_eq!(new.session.delete().await.status, StatusCode::NO_CONTENT);
        eventually("it is over", async || trio.inners.iter().all(|inner| inner.ears() == 0)).await;
    }
}
