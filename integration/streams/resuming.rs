//! A call's stream that was cut goes on where it was cut, on whichever replica, and for nobody else.

use std::time::Duration;

use futures::StreamExt;
use http::StatusCode;
use serde_json::json;
use tower_mcp_sessions::Resumable;

use super::{assert_refused, assert_rising, assert_steps_and_result, steps_in};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::{eventually, soon, within};
use crate::harness::inner::Scripted;
use crate::harness::raw::{Client, Event, Events, LAST_EVENT_ID, LEGACY, SESSION_ID, Session, request};
use crate::harness::size::size;
use crate::harness::trio::Trio;

on_every_backend! {
    a_cut_stream_goes_on_elsewhere_exactly_where_it_was_cut,
    a_stream_goes_on_on_the_same_replica_too,
    resuming_after_the_result_says_that_there_is_no_more,
    the_listening_stream_never_says_that_there_is_no_more,
    older_revisions_get_ids_without_priming_and_retry,
    what_names_no_event_of_the_session_is_refused_and_changes_nothing,
    a_stranger_with_a_cursor_is_told_of_an_unknown_session,
    deleting_a_session_ends_its_streams_on_every_replica,
    a_stream_whose_replica_leaves_ends_with_an_error_for_its_request,
    everything_can_be_resumed_if_that_is_wanted,
    listening_alone_can_be_resumed_if_that_is_wanted,
    nothing_can_be_resumed_if_that_is_wanted,
    an_answer_that_is_there_at_once_leaves_no_log,
}

/// The promise is one second; the rest is for a machine with much else to do.
const ENDS_WITHIN: Duration = Duration::from_secs(3);

const STEPS: u64 = 6;

/// Begins a call of so many steps; the gate is the session's key.
async fn begin(session: &Session, steps: u64) -> Events {
    session.begin(7, "steps", json!({ "steps": steps, "gate": session.key() })).await
}

async fn a_cut_stream_goes_on_elsewhere_exactly_where_it_was_cut(backend: Backend) {
    let trio = Trio::start(backend).await;
    futures::stream::iter(0..size(100, 2000)).for_each_concurrent(8, |round| cut_and_resume(&trio, round as u64)).await;
}

/// Reads some messages, is cut, misses some, and resumes: from the priming event on (nothing read) to the last step.
async fn cut_and_resume(trio: &Trio, round: u64) {
    let read = round % (STEPS + 1);
    let missed = (round / (STEPS + 1)) % (STEPS + 1 - read);
    let (session, inner) = (trio.open().await, &trio.inners[0]);
    let mut stream = begin(&session, STEPS).await;
    let priming = stream.event().await.expect("a priming event");
    assert!(priming.cursor().ends_with(".0") && priming.retry.is_some() && priming.message.is_none());
    inner.release(session.key(), read.saturating_sub(1));
    let mut events = stream.take(usize::try_from(read).unwrap()).await;
    drop(stream);
    inner.release(session.key(), missed);
    let cursor = events.last().unwrap_or(&priming).cursor().to_owned();

    let mut resumed = session.at(&trio.replicas[1 + (round % 2) as usize]).resume(&cursor).await;

    let first = resumed.event().await.expect("a priming event");
    assert_eq!((first.cursor(), &first.message), (&*cursor, &None));
    let stored = read.saturating_sub(1) + missed + 1 - read;
    events.extend(resumed.take(usize::try_from(stored).unwrap()).await);
    inner.release(session.key(), STEPS + 1);
    events.extend(resumed.all().await);
    assert_steps_and_result(&events, 1, STEPS);
    assert_rising(&events);
}

async fn a_stream_goes_on_on_the_same_replica_too(backend: Backend) {
    let trio = Trio::start(backend).await;
    let session = trio.open().await;
    let mut stream = begin(&session, STEPS).await;
    let priming = stream.event().await.expect("a priming event");
    trio.inners[0].release(session.key(), STEPS);
    let all = stream.all().await;
    assert_steps_and_result(&all, 1, STEPS);
    assert_rising(&all);
    let (last, before) = all.split_last().expect("a result");
    assert_eq!(session.try_to_resume(last.cursor()).await.status, StatusCode::NO_CONTENT);
    for (seen, event) in [&priming].into_iter().chain(before).enumerate() {
        for replica in &trio.replicas {
            let resumed = session.at(replica).resume(event.cursor()).await.all().await;
            assert_eq!(resumed[0].message, None);
            assert_eq!(resumed[1..], all[seen..], "the same events under the same ids, however often and wherever");
        }
    }
}

/// A browser's `EventSource` that gets an ended stream comes back for ever; one that gets a 204 does not.
async fn resuming_after_the_result_says_that_there_is_no_more(backend: Backend) {
    let trio = Trio::with(backend, |builder| builder.stream_log(6, 1 << 20, Duration::from_secs(600))).await;
    for version in LEGACY {
        let session = trio.client().open(version).await;
        let stream = begin(&session, 1).await;
        trio.inners[0].release(session.key(), 1);
        let all = stream.all().await;
        let cursor = all.last().expect("a result").cursor().to_owned();
        let is_over = async || {
            for replica in &trio.replicas {
                let told = session.at(replica).try_to_resume(&cursor).await;
                assert_eq!((told.status, told.text()), (StatusCode::NO_CONTENT, ""), "{version}");
                assert!(!told.headers.contains_key("content-type") && !told.headers.contains_key(SESSION_ID));
            }
        };
        is_over().await;
        let beginning = format!("{}.0", cursor.rsplit_once('.').unwrap().0);
        let again = session.resume(&beginning).await.all().await;
        assert_eq!(again.last(), all.last(), "what comes before is there for whoever missed it");

        let other = begin(&session, 1).await;
        is_over().await;
        trio.inners[0].release(session.key(), 1);
        other.all().await;
        is_over().await;

        // A stream of which something is lost is no stream of which all was heard.
        let long = begin(&session, 9).await;
        trio.inners[0].release(session.key(), 9);
        assert_eq!(long.all().await.len(), if version == "2025-11-25" { 11 } else { 10 });
        let lost = session.client.with(LAST_EVENT_ID, &beginning).get().await;
        assert!([StatusCode::OK, StatusCode::BAD_REQUEST].contains(&lost.status), "{}", lost.status);
    }
}

/// A client that is told there is no more would hear nothing of the server ever again.
async fn the_listening_stream_never_says_that_there_is_no_more(backend: Backend) {
    let (trio, mut left) = (Trio::start(backend).await, 0);
    for version in LEGACY {
        let session = trio.client().open(version).await;
        let mut cursor: Option<String> = None;
        for replica in trio.replicas.iter().chain(&trio.replicas) {
            let client = session.at(replica).client;
            let client = cursor.iter().fold(client, |client, cursor| client.with(LAST_EVENT_ID, cursor));
            let mut listening = client.get().await.events();
            eventually("it is heard", async || trio.inners[0].ears() > 0).await;
            if cursor.is_none() {
                trio.inners[0].say(&super::word("once"));
            }
            let event = match (version, &cursor) {
                ("2025-11-25", None) => listening.take(2).await.pop(),
                ("2025-11-25", Some(_)) | (_, None) => listening.take(1).await.pop(),
                (_, Some(_)) => None,
            };
            cursor = event.map(|event| event.cursor().to_owned()).or(cursor);
            left += 1;
            drop(listening);
            eventually("the listener has left", async || trio.store.departures() == left).await;
        }
    }
}

async fn older_revisions_get_ids_without_priming_and_retry(backend: Backend) {
    let trio = Trio::start(backend).await;
    for version in ["2025-03-26", "2025-06-18"] {
        let session = trio.client().open(version).await;
        let mut stream = begin(&session, 2).await;
        let first = stream.event().await.expect("a step");
        assert_eq!((steps_in(std::slice::from_ref(&first)), first.retry), (vec![1], None), "{version}");
        drop(stream);
        let mut resumed = session.at(&trio.replicas[1]).resume(first.cursor()).await;
        assert_eq!(resumed.next_raw().await.as_deref(), Some(":\n\n"), "a comment, which says that it is heard");
        trio.inners[0].release(session.key(), 2);
        let rest = resumed.all().await;
        assert_steps_and_result(&rest, 2, 2);
        assert!(rest.iter().all(|event| event.id.is_some() && event.retry.is_none()));
    }
}

async fn what_names_no_event_of_the_session_is_refused_and_changes_nothing(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [session, elsewhere, _] = trio.open_everywhere().await;
    let other = trio.open().await;
    let mut listening = session.listen().await;
    let listener = listening.event().await.expect("a priming event");
    let mut foreign = begin(&other, 1).await;
    let foreign = foreign.take(2).await[1].cursor().to_owned();
    let foreign_listener = other.listen().await.event().await.expect("a priming event");
    let mut own = begin(&session, 1).await;
    let own = own.take(2).await[1].cursor().to_owned();
    eventually("both sessions are heard everywhere they are bound", async || {
        trio.inners.each_ref().map(Scripted::ears) == [2, 1, 1]
    })
    .await;
    let before = trio.inners.each_ref().map(|inner| inner.seen().len());
    let (stream, _) = own.rsplit_once('.').unwrap();
    let cursors = [
        foreign,
        foreign_listener.cursor().to_owned(),
        format!("{}-77.1", &stream[..8]),
        "AAAAAAAA-0.1".to_owned(),
        listener.cursor().replace(".1.", ".2."),
        listener.cursor().replace(".1.0", ".1.99"),
        format!("{stream}."),
        format!("{stream}.x"),
        format!("{stream}.-1"),
        format!("{stream}.01"),
        "7".to_owned(),
        String::new(),
        "x".repeat(8000),
    ];
    for cursor in &cursors {
        for session in [&session, &elsewhere] {
            assert_refused(&session.try_to_resume(cursor).await, StatusCode::BAD_REQUEST);
        }
    }
    let doubled = format!("{}last-event-id: {own}\r\nlast-event-id: {own}\r\n\r\n", elsewhere.client.head("GET"));
    let answer = elsewhere.client.bytes(doubled.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains(r#""jsonrpc":"2.0""#), "{answer}");

    assert_eq!(trio.inners.each_ref().map(|inner| inner.seen().len()), before, "nothing reached an inner service");
    trio.inners[0].say(&super::word("still there"));
    assert_eq!(super::words_in(&listening.take(1).await), ["still there"]);
}

async fn a_stranger_with_a_cursor_is_told_of_an_unknown_session(backend: Backend) {
    const UNKNOWN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let trio = Trio::start(backend).await;
    let session = trio.client().with("x-user", "alice").open("2025-11-25").await;
    let mut stream = begin(&session, 2).await;
    let cursor = stream.take(2).await[1].cursor().to_owned();
    for replica in &trio.replicas {
        let mallory = Client::of(replica).with("x-user", "mallory").with(LAST_EVENT_ID, &cursor);
        let known = mallory.with(SESSION_ID, &session.id).get().await.whole().await;
        let unknown = mallory.with(SESSION_ID, UNKNOWN).get().await.whole().await;
        assert_refused(&known, StatusCode::NOT_FOUND);
        assert_eq!(known.fingerprint(), unknown.fingerprint());
    }
    trio.inners[0].release(session.key(), 2);
    assert_steps_and_result(&stream.all().await, 2, 2);
}

async fn deleting_a_session_ends_its_streams_on_every_replica(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [here, there, elsewhere] = trio.open_everywhere().await;
    let mut first = begin(&here, 3).await;
    let cursor = first.take(2).await[1].cursor().to_owned();
    let mut resumed = there.resume(&cursor).await;
    assert!(resumed.event().await.is_some());
    let mut listening = there.listen().await;
    assert!(listening.event().await.is_some());

    assert_eq!(elsewhere.delete().await.status, StatusCode::NO_CONTENT);

    let ending = async { (first.all().await.len(), resumed.all().await.len(), listening.all().await.len()) };
    let ended = tokio::time::timeout(ENDS_WITHIN, ending).await.expect("they end");
    assert_eq!(ended, (0, 0, 0), "they just end");
    within(ENDS_WITHIN, "the inner call is dropped", async || trio.inners[0].running() == 0).await;
    assert_refused(&there.try_to_resume(&cursor).await, StatusCode::NOT_FOUND);
}

/// A replica that dies without a word is the subject of `processes`.
async fn a_stream_whose_replica_leaves_ends_with_an_error_for_its_request(backend: Backend) {
    let trio = Trio::with(backend, |builder| builder.drain_timeout(Duration::from_millis(100))).await;
    let session = trio.open().await;
    let mut stream = begin(&session, 3).await;
    let cursor = stream.take(2).await[1].cursor().to_owned();
    drop(stream);
    let mut resumed = session.at(&trio.replicas[1]).resume(&cursor).await;
    assert_eq!(resumed.event().await.expect("a priming event").message, None);
    trio.layers[0].shutdown().await;
    let rest = resumed.all().await;
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_eq!(rest[0].message()["id"], 7);
    assert!(rest[0].message()["error"]["code"].is_i64());
    assert!(session.at(&trio.replicas[2]).works().await, "the session lives on");
}

async fn everything_can_be_resumed_if_that_is_wanted(backend: Backend) {
    let trio = Trio::with(backend, |builder| builder.resumable(Resumable::All)).await;
    for version in LEGACY {
        let session = trio.client().open(version).await;
        let call = request(7, "echo", json!({ "text": "hello" }));
        let all = session.client.post(&call).await.events().all().await;
        let result: &Event = all.last().expect("a result");
        assert_eq!((&result.message()["id"], &result.message()["result"]["text"]), (&json!(7), &json!("hello")));
        let beginning = format!("{}.0", result.cursor().rsplit_once('.').unwrap().0);
        let resumed = session.at(&trio.replicas[1]).resume(&beginning).await.all().await;
        assert_eq!(resumed.last(), Some(result), "{version}");
    }
}

async fn listening_alone_can_be_resumed_if_that_is_wanted(backend: Backend) {
    let trio = Trio::with(backend, |builder| builder.resumable(Resumable::ListenOnly)).await;
    let [session, there, _] = trio.open_everywhere().await;
    let stream = begin(&session, 2).await;
    trio.inners[0].release(session.key(), 2);
    let all = stream.all().await;
    assert_steps_and_result(&all, 1, 2);
    assert!(all.iter().all(|event| event.id.is_none()));
    let mut listening = there.listen().await;
    let cursor = listening.event().await.expect("a priming event");
    trio.all_heard().await;
    drop(listening);
    trio.inners[0].say(&super::word("missed"));
    let mut resumed = session.resume(cursor.cursor()).await;
    assert_eq!(super::words_in(&resumed.take(2).await), ["missed"]);
}

async fn nothing_can_be_resumed_if_that_is_wanted(backend: Backend) {
    let trio = Trio::with(backend, |builder| builder.resumable(Resumable::Nothing)).await;
    let [session, there, _] = trio.open_everywhere().await;
    let stream = begin(&session, 2).await;
    trio.inners[0].release(session.key(), 2);
    let all = stream.all().await;
    assert_steps_and_result(&all, 1, 2);
    assert!(all.iter().all(|event| event.id.is_none()));
    let mut listening = there.listen().await;
    eventually("the inner service is heard", async || trio.inners[1].ears() == 1).await;
    assert_eq!(trio.inners[0].ears(), 0, "only the one that the client listens to");
    trio.inners[1].say(&super::word("here"));
    let heard = listening.take(1).await;
    assert_eq!((super::words_in(&heard), &heard[0].id), (vec!["here".to_owned()], &None));
}

async fn an_answer_that_is_there_at_once_leaves_no_log(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [session, there, _] = trio.open_everywhere().await;
    for method in ["echo", "primed"] {
        for session in [&session, &there] {
            let answer = session.client.post(&request(1, method, json!({}))).await;
            assert_eq!(answer.headers["content-type"], "application/json", "{method}");
            answer.whole().await;
        }
    }
    let logs = || {
        let keys = trio.store.redis().map(|redis| redis.keys()).unwrap_or_default();
        keys.into_iter().filter(|key| key.contains(":l:") || key.contains(":m:")).count()
    };
    assert_eq!(logs(), 0);
    let stream = begin(&session, 1).await;
    trio.inners[0].release(session.key(), 1);
    soon("the end of the stream", stream.all()).await;
    assert_eq!(logs() > 0, trio.store.redis().is_some(), "a stream leaves one");
}
