//! The listening stream: one for the whole session, fed by every replica's inner service, heard by the newest listener.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::{assert_refused, assert_rising, assert_silent, word, words_in};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::{eventually, soon};
use crate::harness::raw::{Events, Session};
use crate::harness::trio::Trio;

on_every_backend! {
    a_listener_hears_the_inner_services_of_all_replicas,
    what_is_said_while_nobody_listens_waits_for_the_next_listener,
    a_second_listener_takes_over_at_once_and_hears_what_the_first_did_not,
    a_listener_that_was_cut_goes_on_elsewhere_with_exactly_what_it_missed,
    a_cursor_of_an_earlier_listener_does_not_oust_a_newer_one,
    the_late_end_of_an_old_listener_does_not_touch_the_new_one,
    the_same_hint_from_two_replicas_is_said_once_and_log_messages_always,
    a_replica_that_learns_of_the_session_later_is_heard_too,
}

const QUIET: Duration = Duration::from_millis(200);

/// Opens the listening stream and reads its first event.
async fn listen(session: &Session) -> (Events, String) {
    let mut listening = session.listen().await;
    let priming = listening.event().await.expect("a priming event");
    assert_eq!((&priming.message, priming.retry), (&None, Some(1000)));
    (listening, priming.cursor().to_owned())
}

/// Has the inner services say numbered words, one after the other.
fn say(trio: &Trio, numbers: std::ops::Range<usize>) {
    for number in numbers {
        trio.inners[number % 3].say(&word(&format!("{} {number}", number % 3)));
    }
}

/// Expects these words: each once, and those of one inner service in order.
fn assert_words(mut heard: Vec<String>, numbers: std::ops::Range<usize>) {
    let by = |number: usize| format!("{} {number}", number % 3);
    for service in ["0", "1", "2"] {
        let said: Vec<String> = numbers.clone().map(by).filter(|word| word.starts_with(service)).collect();
        let of_service: Vec<String> = heard.iter().filter(|word| word.starts_with(service)).cloned().collect();
        assert_eq!(of_service, said);
    }
    heard.retain(|word| !["0", "1", "2"].contains(&&word[..1]));
    assert_eq!(heard, [""; 0], "and nothing else");
}

async fn a_listener_hears_the_inner_services_of_all_replicas(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [_, b, _] = trio.open_everywhere().await;
    let (mut listening, _) = listen(&b).await;
    trio.all_heard().await;
    say(&trio, 0..60);
    let heard = listening.take(60).await;
    assert_words(words_in(&heard), 0..60);
    assert_rising(&heard);
    assert_silent(&mut listening, QUIET).await;
}

async fn what_is_said_while_nobody_listens_waits_for_the_next_listener(backend: Backend) {
    let trio = Trio::start(backend).await;
    let everywhere = trio.open_everywhere().await;
    let (listening, _) = listen(&everywhere[0]).await;
    trio.all_heard().await;
    drop(listening);
    for (round, session) in everywhere.iter().enumerate() {
        let numbers = round * 9..(round + 1) * 9;
        eventually("the listener has left", async || trio.store.departures() == round as u64 + 1).await;
        say(&trio, numbers.clone());
        let (mut listening, _) = listen(session).await;
        assert_words(words_in(&listening.take(9).await), numbers);
        assert_silent(&mut listening, QUIET).await;
    }
}

async fn a_second_listener_takes_over_at_once_and_hears_what_the_first_did_not(backend: Backend) {
    let trio = Trio::start(backend).await;
    let everywhere = trio.open_everywhere().await;
    let (mut listening, _) = listen(&everywhere[0]).await;
    trio.all_heard().await;
    for round in 0..6 {
        let numbers = round * 3..(round + 1) * 3;
        let (mut next, _) = listen(&everywhere[round % 3]).await;
        let last_words = soon("the first stream ends", listening.all()).await;
        assert_eq!(words_in(&last_words), [""; 0]);
        say(&trio, numbers.clone());
        assert_words(words_in(&next.take(3).await), numbers);
        listening = next;
    }
    let (mut last, _) = listen(&everywhere[1]).await;
    assert_silent(&mut last, QUIET).await;
}

async fn a_listener_that_was_cut_goes_on_elsewhere_with_exactly_what_it_missed(backend: Backend) {
    let trio = Trio::start(backend).await;
    let everywhere = trio.open_everywhere().await;
    let (mut listening, mut cursor) = listen(&everywhere[0]).await;
    trio.all_heard().await;
    let mut heard = Vec::new();
    for round in 0..6 {
        let from = round * 6;
        say(&trio, from..from + 3);
        // Of three it reads none, one, two or all before it is cut.
        let read = listening.take(round % 4).await;
        cursor = read.last().map_or(cursor, |event| event.cursor().to_owned());
        heard.extend(read);
        drop(listening);
        say(&trio, from + 3..from + 6);
        let mut resumed = everywhere[(round + 1) % 3].resume(&cursor).await;
        let priming = resumed.event().await.expect("a priming event");
        assert_eq!((super::position(&priming), &priming.message), (cursor_position(&cursor), &None));
        cursor = priming.cursor().to_owned();
        let missed = resumed.take(from + 6 - heard.len()).await;
        cursor = missed.last().map_or(cursor, |event| event.cursor().to_owned());
        heard.extend(missed);
        listening = resumed;
    }
    assert_words(words_in(&heard), 0..36);
    assert_rising(&heard);
    assert_silent(&mut listening, QUIET).await;
}

fn cursor_position(cursor: &str) -> u64 {
    cursor.rsplit_once('.').expect("a position").1.parse().expect("a number")
}

async fn a_cursor_of_an_earlier_listener_does_not_oust_a_newer_one(backend: Backend) {
    let trio = Trio::start(backend).await;
    let everywhere = trio.open_everywhere().await;
    let (first, old) = listen(&everywhere[0]).await;
    let (mut second, _) = listen(&everywhere[1]).await;
    assert_eq!(soon("the first stream ends", first.all()).await, []);
    trio.all_heard().await;
    for session in &everywhere {
        assert_refused(&session.try_to_resume(&old).await, StatusCode::CONFLICT);
    }
    say(&trio, 0..3);
    assert_words(words_in(&second.take(3).await), 0..3);
    drop(second);
    // With nobody there, the earlier one may go on from where it was.
    let elsewhere = &everywhere[2];
    eventually("the newer listener has left", async || {
        elsewhere.client.with("last-event-id", &old).get().await.status == StatusCode::OK
    })
    .await;
}

async fn the_late_end_of_an_old_listener_does_not_touch_the_new_one(backend: Backend) {
    let trio = Trio::start(backend).await;
    let everywhere = trio.open_everywhere().await;
    let (mut first, _) = listen(&everywhere[0]).await;
    trio.all_heard().await;
    say(&trio, 0..3);
    first.take(3).await;
    let (mut second, cursor) = listen(&everywhere[1]).await;
    say(&trio, 3..6);
    assert_words(words_in(&second.take(3).await), 3..6);
    assert_eq!(words_in(&soon("the first stream ends", first.all()).await), [""; 0]);
    // It has left by now; the second one still is the listener.
    let (third, superseded) = listen(&everywhere[2]).await;
    drop((third, second));
    let mut fourth = everywhere[0].resume(&superseded).await;
    fourth.take(1).await;
    assert_refused(&everywhere[1].try_to_resume(&cursor).await, StatusCode::CONFLICT);
    say(&trio, 6..9);
    assert_words(words_in(&fourth.take(3).await), 6..9);
}

fn hint(uri: &str) -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/resources/updated", "params": { "uri": uri } })
}

async fn the_same_hint_from_two_replicas_is_said_once_and_log_messages_always(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [a, _, _] = trio.open_everywhere().await;
    let (mut listening, _) = listen(&a).await;
    trio.all_heard().await;
    let list_changed = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" });
    for message in [&list_changed, &hint("note:1"), &hint("note:2"), &word("log")] {
        trio.inners.iter().for_each(|inner| inner.say(message));
    }
    let mut heard = Vec::new();
    while let Ok(event) = tokio::time::timeout(Duration::from_secs(1), listening.event()).await {
        heard.push(event.expect("it stays open").message().clone());
    }
    let times = |wanted: &Value| heard.iter().filter(|message| *message == wanted).count();
    for wanted in [&list_changed, &hint("note:1"), &hint("note:2")] {
        assert!((1..=2).contains(&times(wanted)), "once, and once more for a later change: {heard:?}");
    }
    assert_eq!(times(&word("log")), 3, "what is no hint is never merged");
    for _ in 0..3 {
        trio.inners[1].say(&list_changed);
    }
    assert_eq!(listening.take(3).await.len(), 3, "what one replica says several times is several changes");
}

async fn a_replica_that_learns_of_the_session_later_is_heard_too(backend: Backend) {
    let trio = Trio::start(backend).await;
    let session = trio.open().await;
    let (mut listening, _) = listen(&session).await;
    assert!(session.at(&trio.replicas[2]).works().await);
    eventually("it is heard", async || trio.inners[2].ears() == 1).await;
    trio.inners[2].say(&word("2 new"));
    assert_eq!(words_in(&listening.take(1).await), ["2 new"]);
}
