//! A question finds its way from any inner service to the client, and its answer from any replica back: once, and only from
//! whom was asked.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::assert_refused;
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::inner::question;
use crate::harness::raw::{Events, Session};
use crate::harness::trio::Trio;

on_every_backend! {
    a_question_of_one_replica_is_answered_through_any_other,
    questions_with_equal_ids_on_two_replicas_do_not_cross,
    only_who_was_asked_can_answer_and_only_once,
    an_answer_nobody_waits_for_any_more_is_refused,
    a_question_on_the_listening_stream_is_heard_elsewhere_and_answered_elsewhere,
    progress_on_a_question_reaches_who_asked,
    a_cancellation_reaches_the_replica_where_the_call_runs,
    a_question_to_a_client_that_has_gone_fails,
}

fn answer(id: &Value, content: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": { "action": "accept", "content": { "answer": content } } })
}

/// Makes the inner service at a session's replica ask; returns the stream and the question's name.
async fn ask(session: &Session, params: Value) -> (Events, Value) {
    let mut stream = session.begin(1, "ask", params).await;
    let asked = stream.take(2).await.pop().expect("a question");
    assert_eq!(asked.message()["method"], "elicitation/create");
    let name = asked.message()["id"].clone();
    assert!(name.as_str().is_some_and(|name| name.len() > 30), "a name nobody can guess: {name}");
    assert_eq!(asked.message()["params"]["message"], question(0)["params"]["message"]);
    (stream, name)
}

async fn assert_taken(session: &Session, message: &Value) {
    let answer = session.client.post(message).await.whole().await;
    assert_eq!((answer.status, answer.text()), (StatusCode::ACCEPTED, ""));
}

/// Expects that a stream ends with a result made of this answer.
async fn assert_answered(stream: Events, content: &str) {
    let rest = stream.all().await;
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_eq!(rest[0].message()["result"]["answer"]["result"]["content"]["answer"], content);
}

async fn a_question_of_one_replica_is_answered_through_any_other(backend: Backend) {
    let trio = Trio::start(backend).await;
    let everywhere = trio.open_everywhere().await;
    let unbound = trio.open().await;
    for (round, via) in everywhere.iter().enumerate() {
        let (stream, name) = ask(&everywhere[0], json!({})).await;
        assert_taken(via, &answer(&name, &format!("round {round}"))).await;
        assert_answered(stream, &format!("round {round}")).await;
    }
    let (stream, name) = ask(&unbound, json!({})).await;
    assert_taken(&unbound.at(&trio.replicas[2]), &answer(&name, "unbound")).await;
    assert_answered(stream, "unbound").await;

    let own_ids: Vec<Value> = trio.inners[0].answers().iter().map(|answer| answer["id"].clone()).collect();
    assert_eq!(own_ids, [0, 1, 2, 0], "each under the inner service's own id, once");
    assert_eq!([trio.inners[1].answers().len(), trio.inners[2].answers().len()], [0, 0]);
}

async fn questions_with_equal_ids_on_two_replicas_do_not_cross(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [a, b, c] = trio.open_everywhere().await;
    for round in 0..5 {
        let ((on_a, name_a), (on_b, name_b)) = tokio::join!(ask(&a, json!({})), ask(&b, json!({})));
        assert_ne!(name_a, name_b);
        let (for_a, for_b) = (format!("a {round}"), format!("b {round}"));
        let answers = [answer(&name_b, &for_b), answer(&name_a, &for_a)];
        tokio::join!(assert_taken(&c, &answers[0]), assert_taken(&c, &answers[1]));
        assert_answered(on_a, &for_a).await;
        assert_answered(on_b, &for_b).await;
    }
    assert_eq!(trio.inners.each_ref().map(|inner| inner.answers().len()), [5, 5, 0]);
}

async fn only_who_was_asked_can_answer_and_only_once(backend: Backend) {
    let trio = Trio::start(backend).await;
    let alice = trio.client().with("x-user", "alice");
    let (session, other) = (alice.open("2025-11-25").await, alice.open("2025-11-25").await);
    let (stream, name) = ask(&session, json!({})).await;
    let (others, others_name) = ask(&other, json!({})).await;
    let given = name.as_str().unwrap();
    let (replica, nonce) = given.split_once('.').unwrap();
    let reversed: String = nonce.chars().rev().collect();
    let forged = [
        json!(format!("{replica}.{reversed}")),
        json!(format!("{replica}.")),
        json!(format!("{given}x")),
        json!(format!("{replica}.{}", nonce.to_uppercase())),
        json!(nonce),
        json!("0"),
        json!(0),
        json!(""),
        others_name.clone(),
    ];
    for via in trio.everywhere(&session) {
        for id in &forged {
            let refused = via.client.post(&answer(id, "forged")).await.whole().await;
            assert_refused(&refused, StatusCode::BAD_REQUEST);
        }
    }
    // Somebody who is not there any more: it takes a moment to be sure of that.
    let departed = session.client.post(&answer(&json!(format!("AAAAAAAA.{nonce}")), "forged")).await.whole().await;
    assert_refused(&departed, StatusCode::BAD_REQUEST);
    for replica in &trio.replicas {
        let client = session.client.at(replica);
        let mallory = client.with("x-user", "mallory").post(&answer(&name, "forged")).await.whole().await;
        assert_refused(&mallory, StatusCode::NOT_FOUND);
    }
    assert_eq!(trio.inners.each_ref().map(|inner| inner.answers().len()), [0; 3], "no inner service saw any of it");

    let mut racers = Vec::new();
    for round in 0..9 {
        let via = session.at(&trio.replicas[round % 3]);
        let message = answer(&name, "mine");
        racers.push(tokio::spawn(async move { via.client.post(&message).await.whole().await.status }));
    }
    let mut statuses = Vec::new();
    for racer in racers {
        statuses.push(racer.await.unwrap());
    }
    assert_eq!(statuses.iter().filter(|status| **status == StatusCode::ACCEPTED).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == StatusCode::BAD_REQUEST).count(), 8, "{statuses:?}");
    assert_answered(stream, "mine").await;
    assert_taken(&other, &answer(&others_name, "theirs")).await;
    assert_answered(others, "theirs").await;
    assert_eq!(trio.inners[0].answers().len(), 2);
}

async fn an_answer_nobody_waits_for_any_more_is_refused(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [session, there, _] = trio.open_everywhere().await;
    for params in [json!({ "impatient": true }), json!({ "withdraws": true })] {
        let (stream, name) = ask(&session, params.clone()).await;
        trio.inners[0].release("", 1);
        let mut rest = stream.all().await;
        assert_eq!(rest.pop().expect("a result").message()["result"]["gave up"], true);
        if params["withdraws"] == true {
            let withdrawal = rest.pop().expect("a withdrawal");
            assert_eq!(withdrawal.message()["method"], "notifications/cancelled");
            assert_eq!(withdrawal.message()["params"]["requestId"], name, "under the name the client knows");
        }
        assert!(rest.is_empty(), "{rest:?}");
        for via in [&session, &there] {
            let late = async || via.client.post(&answer(&name, "late")).await.status;
            eventually("a late answer is refused", async || late().await == StatusCode::BAD_REQUEST).await;
        }
        assert_eq!(trio.inners[0].answers().len(), 0, "the inner service never sees it");
    }
}

async fn a_question_on_the_listening_stream_is_heard_elsewhere_and_answered_elsewhere(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [a, b, c] = trio.open_everywhere().await;
    let mut listening = b.listen().await;
    listening.take(1).await;
    trio.all_heard().await;
    for number in 0..3 {
        trio.inners[0].say(&question(number));
        let asked = listening.take(1).await.pop().expect("a question");
        let name = asked.message()["id"].clone();
        assert!(name.is_string());
        for stranger in [&trio.open().await, &trio.open().await.at(&trio.replicas[2])] {
            let refused = stranger.client.post(&answer(&name, "foreign")).await.whole().await;
            assert_refused(&refused, StatusCode::BAD_REQUEST);
        }
        let via = [&c, &a, &b][usize::try_from(number).unwrap()];
        assert_taken(via, &answer(&name, "heard")).await;
        eventually("the answer arrives", async || trio.inners[0].answers().len() as u64 == number + 1).await;
        let arrived = trio.inners[0].answers().pop().unwrap();
        assert_eq!(arrived, answer(&json!(number), "heard"), "as the client said it, under the inner service's own id");
    }
    assert_eq!([trio.inners[1].answers().len(), trio.inners[2].answers().len()], [0, 0]);
}

async fn progress_on_a_question_reaches_who_asked(backend: Backend) {
    let trio = Trio::start(backend).await;
    let everywhere = trio.open_everywhere().await;
    let mut stream = everywhere[0].begin(1, "ask", json!({})).await;
    let asked = stream.take(2).await.pop().expect("a question");
    let (name, token) = (&asked.message()["id"], &asked.message()["params"]["_meta"]["progressToken"]);
    assert_eq!(name, token, "the client knows the question by one name");
    for (progress, via) in everywhere.iter().enumerate() {
        let params = json!({ "progressToken": token, "progress": progress });
        assert_taken(via, &json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params })).await;
        let inner = &trio.inners[0];
        eventually("the progress arrives", async || inner.asked("notifications/progress") == progress + 1).await;
        let seen: Value = serde_json::from_slice(&inner.last("notifications/progress").body).unwrap();
        assert_eq!(seen["params"], json!({ "progressToken": 1000, "progress": progress }));
    }
    assert_taken(&everywhere[2], &answer(name, "done")).await;
    assert_answered(stream, "done").await;
    assert_eq!(trio.inners[1].asked("notifications/progress") + trio.inners[2].asked("notifications/progress"), 0);
}

async fn a_cancellation_reaches_the_replica_where_the_call_runs(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [bound, there, _] = trio.open_everywhere().await;
    let never_seen_there = trio.open().await;
    let elsewhere = never_seen_there.at(&trio.replicas[2]);
    let params = json!({ "requestId": 7, "reason": "enough" });
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params });
    let times = || trio.inners.each_ref().map(|inner| inner.asked("notifications/cancelled"));
    for (session, via, wanted) in [(&bound, &there, [1, 1, 1]), (&never_seen_there, &elsewhere, [2, 1, 2])] {
        let mut stream = session.begin(7, "steps", json!({ "steps": 1, "gate": session.key() })).await;
        stream.take(2).await;
        assert_taken(via, &cancel).await;
        eventually("it arrives", async || times() == wanted).await;
        let seen: Value = serde_json::from_slice(&trio.inners[0].last("notifications/cancelled").body).unwrap();
        assert_eq!(seen["params"], params);
        trio.inners[0].release(session.key(), 1);
        assert_eq!(stream.all().await.len(), 1);
        assert!(session.works().await && via.works().await);
        assert_eq!(times(), wanted, "once wherever the session is known");
    }
}

async fn a_question_to_a_client_that_has_gone_fails(backend: Backend) {
    let trio = Trio::with(backend, |builder| builder.idle_timeout(Duration::from_secs(2))).await;
    let [session, there, _] = trio.open_everywhere().await;
    let mut listening = there.listen().await;
    listening.take(1).await;
    trio.all_heard().await;
    drop(listening);
    trio.inners[0].say(&question(0));
    eventually("the session is disconnected", async || trio.store.counts().await == (0, 1)).await;
    let inner = &trio.inners[0];
    eventually("whoever asked is told", async || inner.answers().len() == 1).await;
    let told = inner.answers().pop().unwrap();
    assert_eq!((&told["id"], told["error"]["code"].is_i64()), (&json!(0), true), "{told}");
    assert!(session.works().await, "the session lives on");
    let (stream, name) = ask(&session, json!({})).await;
    assert_taken(&there, &answer(&name, "back")).await;
    assert_answered(stream, "back").await;
}
