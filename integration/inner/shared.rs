//! One inner service behind all replicas: a session of a client is one session there, whichever replica it comes through.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tower_mcp_sessions::store::{EndedBy, SessionStore};
use tower_mcp_sessions::{EndReason, InnerSessions, RateLimits, ReconnectKeys, SessionKey, SessionLayerBuilder};

use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::inner::{Scripted, Seen, question};
use crate::harness::raw::{Client, Events, RECONNECT_TOKEN, SESSION_ID, Session, initialize, notification};
use crate::harness::trio::Trio;

on_every_backend! {
    a_session_is_one_session_inside,
    a_handshake_is_confirmed_once_by_its_client,
    one_replica_listens_the_one_where_the_client_does,
    an_answer_is_delivered_by_whichever_replica_gets_it,
    only_who_was_asked_can_answer_and_only_once,
    an_answer_the_inner_service_refuses_may_be_given_again,
    a_withdrawn_question_is_withdrawn_wherever_that_is_said,
    what_a_client_says_arrives_once,
    a_lost_session_is_replaced_once_for_all_replicas,
    a_session_that_is_lost_again_before_another_replica_has_noticed_is_replaced_again,
    an_answer_to_a_lost_session_is_refused,
    a_replica_that_leaves_closes_nothing,
    a_session_ends_inside_once_wherever_it_ends,
    a_session_that_an_operator_ends_ends_inside,
    a_session_that_expires_ends_inside,
    progress_arrives_whatever_its_token_looks_like,
    a_new_handshake_brings_a_new_inner_session_and_closes_the_old,
    an_old_holders_call_never_reaches_the_next_holders_inner_session,
}

const SECRET: &[u8] = b"of the integration tests, 32 bytes at least";

fn sharing(builder: SessionLayerBuilder) -> SessionLayerBuilder {
    let keys = ReconnectKeys::new("first", SECRET).expect("a good key");
    builder.inner_sessions(InnerSessions::Shared).reconnect(keys).rate_limits(RateLimits::off())
}

/// Three replicas in front of one inner service.
async fn start(backend: Backend) -> (Trio, Scripted) {
    let trio = Trio::in_front_of_one(backend, sharing).await;
    let inner = trio.inners[0].clone();
    (trio, inner)
}

async fn a_session_is_one_session_inside(backend: Backend) {
    let (trio, inner) = start(backend).await;
    inner.script(|script| script.sets_cookies = true);
    let everywhere = trio.open_everywhere().await;
    for session in everywhere.iter().chain(&everywhere) {
        assert!(session.works().await);
    }
    assert_eq!((inner.minted(), inner.asked("initialize")), (1, 1));
    let calls = inner.seen().into_iter().filter(|seen| seen.method() == "echo");
    for call in calls {
        assert_eq!((call.header("mcp-session-id"), call.header("cookie")), (Some("inner-0"), Some("node=inner-0")));
    }
}

async fn a_handshake_is_confirmed_once_by_its_client(backend: Backend) {
    let (trio, inner) = start(backend).await;
    let opened = trio.client().post(&initialize("2025-11-25")).await.whole().await;
    let id = opened.session_id().expect("a session id");
    let session = Session { client: trio.client().with(SESSION_ID, &id), id };
    assert!(session.works().await);
    assert_eq!(inner.asked("notifications/initialized"), 0, "that is for the client to say");
    let elsewhere = session.at(&trio.replicas[1]);
    assert_eq!(elsewhere.client.post(&notification("notifications/initialized")).await.status, StatusCode::ACCEPTED);
    assert!(session.works().await && session.at(&trio.replicas[2]).works().await);
    assert_eq!(inner.asked("notifications/initialized"), 1);
}

async fn one_replica_listens_the_one_where_the_client_does(backend: Backend) {
    let (trio, inner) = start(backend).await;
    let everywhere = trio.open_everywhere().await;
    let mut at_first = everywhere[0].listen().await;
    eventually("it is heard", async || inner.ears() == 1).await;
    inner.say(&note(1));
    assert_eq!(at_first.next().await, Some(note(1)));
    for (number, session) in (2..).zip(&everywhere[1..]) {
        let mut listening = session.listen().await;
        eventually("it is heard there alone", async || {
            inner.ears() == 1 && hears(&inner, &mut listening, number).await
        })
        .await;
    }
}

/// Whether what the inner service says arrives at a listener. Until the replica before has let go of it, it may be said in vain.
async fn hears(inner: &Scripted, listening: &mut Events, number: u64) -> bool {
    inner.mutter(&note(number));
    match tokio::time::timeout(Duration::from_millis(500), listening.next()).await {
        Ok(heard) => {
            assert_eq!(heard, Some(note(number)));
            true
        }
        Err(_) => false,
    }
}

fn note(number: u64) -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": "info", "data": number } })
}

fn answer(id: &Value, content: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": { "action": "accept", "content": { "answer": content } } })
}

/// Makes the inner service ask through a replica; returns the stream and the question's name.
async fn ask(session: &Session, params: Value) -> (Events, Value) {
    let mut stream = session.begin(1, "ask", params).await;
    let asked = stream.take(2).await.pop().expect("a question").message().clone();
    assert_eq!(asked["params"], question(0)["params"], "but for its name it is as it was asked");
    assert_ne!(asked["id"], question(0)["id"]);
    (stream, asked["id"].clone())
}

async fn an_answer_is_delivered_by_whichever_replica_gets_it(backend: Backend) {
    let (trio, inner) = start(backend).await;
    let session = trio.open().await;
    for (round, via) in trio.everywhere(&session).iter().enumerate() {
        let mut stream = session.begin(1, "ask", json!({})).await;
        let name = stream.take(2).await.pop().expect("a question").message()["id"].clone();
        let via = via.client.with("x-request-head", &format!("of the answer {round}"));
        assert_eq!(via.post(&answer(&name, "yes")).await.status, StatusCode::ACCEPTED);
        let delivered = inner.seen().pop().expect("it is there before its client is told");
        assert_eq!(delivered.header("x-request-head"), Some(&*format!("of the answer {round}")));
        let rest = stream.all().await;
        assert_eq!(rest[0].message()["result"]["answer"]["result"]["content"]["answer"], "yes");
    }
    let own_ids: Vec<Value> = inner.answers().iter().map(|answer| answer["id"].clone()).collect();
    assert_eq!(own_ids, [0, 1, 2], "each under the inner service's own id");
}

async fn only_who_was_asked_can_answer_and_only_once(backend: Backend) {
    let (trio, inner) = start(backend).await;
    let alice = trio.client().with("x-user", "alice");
    let (session, other) = (alice.open("2025-11-25").await, alice.open("2025-11-25").await);
    let (stream, name) = ask(&session, json!({})).await;
    for via in trio.everywhere(&session) {
        for forged in [json!("shared.1.MQ"), json!("shared.2.MA"), json!("shared.1.bnVsbA"), json!(0)] {
            assert_eq!(via.client.post(&answer(&forged, "forged")).await.status, StatusCode::BAD_REQUEST, "{forged}");
        }
        assert_eq!(
            other.at(&trio.replicas[1]).client.post(&answer(&name, "forged")).await.status,
            StatusCode::BAD_REQUEST
        );
    }
    let answered = answer(&name, "yes");
    let everywhere = trio.everywhere(&session);
    let (a, b, c) = tokio::join!(
        everywhere[0].client.post(&answered),
        everywhere[1].client.post(&answered),
        everywhere[2].client.post(&answered)
    );
    let mut statuses = [a.status.as_u16(), b.status.as_u16(), c.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 400, 400]);
    assert_eq!(stream.all().await.len(), 1);
    assert_eq!(inner.answers().len(), 1);
}

async fn an_answer_the_inner_service_refuses_may_be_given_again(backend: Backend) {
    let (trio, inner) = start(backend).await;
    let session = trio.client().with("authorization", "t1").open("2025-11-25").await;
    let (stream, name) = ask(&session, json!({})).await;
    inner.script(|script| script.credentials = Some("t2"));
    let via = session.client.at(&trio.replicas[1]);
    let refused = via.post(&answer(&name, "early")).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(refused.headers.contains_key("www-authenticate"), "the client can log in");
    assert_eq!(via.with("authorization", "t2").post(&answer(&name, "yes")).await.status, StatusCode::ACCEPTED);
    assert_eq!(stream.all().await[0].message()["result"]["answer"]["result"]["content"]["answer"], "yes");
}

async fn a_withdrawn_question_is_withdrawn_wherever_that_is_said(backend: Backend) {
    let (trio, inner) = start(backend).await;
    let everywhere = trio.open_everywhere().await;
    let mut listening = everywhere[1].listen().await;
    eventually("it is heard", async || inner.ears() == 1).await;
    let (stream, name) = ask(&everywhere[0], json!({ "gate": "patience", "impatient": true })).await;
    inner.say(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 0 } }));
    let withdrawn = listening.next().await.expect("the withdrawal");
    assert_eq!(withdrawn["params"]["requestId"], name, "under the name the client knows");
    let is_refused = async || everywhere[2].client.post(&answer(&name, "late")).await.status == StatusCode::BAD_REQUEST;
    eventually("nobody waits for the answer", is_refused).await;
    inner.release("patience", 1);
    assert_eq!(stream.all().await.len(), 1);
}

async fn what_a_client_says_arrives_once(backend: Backend) {
    let (trio, inner) = start(backend).await;
    let everywhere = trio.open_everywhere().await;
    let mut cancelled = notification("notifications/cancelled");
    cancelled["params"] = json!({ "requestId": 7 });
    assert_eq!(everywhere[1].client.post(&cancelled).await.status, StatusCode::ACCEPTED);
    let roots = notification("notifications/roots/list_changed");
    assert_eq!(everywhere[2].client.post(&roots).await.status, StatusCode::ACCEPTED);
    assert_eq!(everywhere[1].call("logging/setLevel", json!({ "level": "debug" })).await.status, StatusCode::OK);
    for session in &everywhere {
        assert!(session.works().await);
    }
    for said in ["notifications/cancelled", "notifications/roots/list_changed", "logging/setLevel"] {
        assert_eq!(inner.asked(said), 1, "{said}");
    }
}

async fn a_lost_session_is_replaced_once_for_all_replicas(backend: Backend) {
    let (trio, inner) = start(backend).await;
    let everywhere = trio.open_everywhere().await;
    assert_eq!(everywhere[0].call("logging/setLevel", json!({ "level": "debug" })).await.status, StatusCode::OK);
    for uri in ["note://1", "note://2"] {
        assert_eq!(everywhere[0].call("resources/subscribe", json!({ "uri": uri })).await.status, StatusCode::OK);
    }
    inner.forget();
    let calls = everywhere.iter().flat_map(|session| [session, session, session]).map(Session::works);
    assert!(futures::future::join_all(calls).await.into_iter().all(|worked| worked));
    eventually("one inner session is left", async || inner.sessions() == 1).await;
    let level = inner.last("logging/setLevel");
    assert!(level.replayed, "what shaped the session is told again");
    let id_of = |seen: &Seen| serde_json::from_slice::<Value>(&seen.body).expect("JSON")["id"].to_string();
    let subscribed = inner.seen().into_iter().filter(|seen| seen.replayed && seen.method() == "resources/subscribe");
    let ids: std::collections::BTreeSet<_> = subscribed.map(|seen| id_of(&seen)).collect();
    assert!(ids.len() >= 2, "calls under way at the same time have ids of their own: {ids:?}");
    for session in &everywhere {
        assert!(session.works().await);
    }
    let used: std::collections::BTreeSet<_> =
        inner.seen().iter().rev().take(3).map(|seen| seen.header("mcp-session-id").map(str::to_owned)).collect();
    assert_eq!(used.len(), 1, "all replicas use the same");
}

async fn an_answer_to_a_lost_session_is_refused(backend: Backend) {
    let (trio, inner) = start(backend).await;
    let everywhere = trio.open_everywhere().await;
    let (_stream, name) = ask(&everywhere[0], json!({})).await;
    inner.forget();
    assert!(everywhere[1].works().await, "replaced");
    let late = everywhere[2].client.post(&answer(&name, "late")).await;
    assert_eq!(late.status, StatusCode::BAD_REQUEST);
    let told = |seen: Seen| seen.header("mcp-session-id") == Some("inner-1") && seen.body.ends_with(b"\"late\"}}}");
    assert!(!inner.seen().into_iter().any(told), "whoever takes its place did not ask");
}

async fn a_replica_that_leaves_closes_nothing(backend: Backend) {
    let (trio, inner) = start(backend).await;
    let everywhere = trio.open_everywhere().await;
    trio.layers[0].shutdown().await;
    trio.layers[1].shutdown().await;
    assert!(everywhere[2].works().await);
    assert_eq!((inner.minted(), inner.sessions()), (1, 1));
    assert!(inner.seen().iter().all(|seen| seen.http_method != "DELETE"));
}

async fn a_session_ends_inside_once_wherever_it_ends(backend: Backend) {
    let (trio, inner) = start(backend).await;
    for is_bound_everywhere in [true, false] {
        let session = match is_bound_everywhere {
            true => trio.open_everywhere().await[1].clone(),
            false => trio.open().await.at(&trio.replicas[2]),
        };
        let client = session.client.with("x-request-head", "of the end");
        assert_eq!(client.delete().await.status, StatusCode::NO_CONTENT);
        eventually("the inner session is closed", async || inner.sessions() == 0).await;
    }
    let farewells: Vec<_> = inner.seen().into_iter().filter(|seen| seen.http_method == "DELETE").collect();
    assert_eq!(farewells.len(), 2);
    assert!(farewells.iter().all(|seen| seen.header("x-request-head") == Some("of the end")));
}

async fn a_session_that_an_operator_ends_ends_inside(backend: Backend) {
    let (trio, inner) = start(backend).await;
    let [a, ..] = trio.open_everywhere().await;
    let key = SessionKey::parse(a.key()).expect("a key");
    trio.store.end(&key, EndedBy::Operator, EndReason::Terminated).await.expect("the store answers");
    eventually("the inner session is closed", async || inner.sessions() == 0).await;
    let farewells = inner.seen().into_iter().filter(|seen| seen.http_method == "DELETE").count();
    assert_eq!(farewells, 1);
}

async fn a_new_handshake_brings_a_new_inner_session_and_closes_the_old(backend: Backend) {
    let (trio, inner) = start(backend).await;
    let opened = trio.client().post(&initialize("2025-11-25")).await.whole().await;
    let (id, token) = (opened.session_id().expect("an id"), opened.reconnect_token().expect("a token"));
    let before = Session { client: trio.client().with(SESSION_ID, &id), id };
    assert!(before.works().await);
    let back = Client::of(&trio.replicas[1]).with(RECONNECT_TOKEN, &token);
    let answer = back.post(&initialize("2025-11-25")).await.whole().await;
    let id = answer.session_id().expect("a new id");
    let session = Session { client: trio.client().with(SESSION_ID, &id), id };
    for session in trio.everywhere(&session) {
        assert!(session.works().await);
        assert_eq!(inner.last("echo").header("mcp-session-id"), Some("inner-1"));
    }
    eventually("the inner session before is closed", async || inner.sessions() == 1).await;
    assert_eq!(inner.minted(), 2);
}

async fn an_old_holders_call_never_reaches_the_next_holders_inner_session(backend: Backend) {
    let (trio, inner) = start(backend).await;
    let opened = trio.client().post(&initialize("2025-11-25")).await.whole().await;
    let (id, token) = (opened.session_id().expect("an id"), opened.reconnect_token().expect("a token"));
    let old = Session { client: trio.client().with(SESSION_ID, &id), id };
    for session in trio.everywhere(&old) {
        assert!(session.works().await);
    }
    // The other replicas do not hear of it, and go by what they were told, for up to a second.
    trio.store.silence_bus();
    let back = Client::of(&trio.replicas[2]).with(RECONNECT_TOKEN, &token);
    assert_eq!(back.post(&initialize("2025-11-25")).await.whole().await.status, StatusCode::OK);
    eventually("the inner session before is closed", async || inner.sessions() == 1).await;
    let before = inner.seen().len();
    for at in [0, 1] {
        assert_eq!(old.at(&trio.replicas[at]).status().await, StatusCode::NOT_FOUND);
    }
    let reached: Vec<_> = inner.seen().split_off(before);
    assert!(reached.iter().all(|seen| seen.header("mcp-session-id") != Some("inner-2")), "{reached:?}");
    assert_eq!(inner.minted(), 2, "nor is another one made for it");
}

async fn a_session_that_is_lost_again_before_another_replica_has_noticed_is_replaced_again(backend: Backend) {
    let (trio, inner) = start(backend).await;
    let [a, b, _] = trio.open_everywhere().await;
    inner.forget();
    assert!(a.works().await);
    inner.forget();
    assert!(b.works().await, "the one in the store is lost as well");
    assert!(a.works().await);
    eventually("one inner session is left", async || inner.sessions() == 1).await;
}

async fn a_session_that_expires_ends_inside(backend: Backend) {
    let brief = |builder| sharing(builder).idle_timeout(Duration::from_secs(1)).expires_after(Duration::from_secs(2));
    let trio = Trio::in_front_of_one(backend, brief).await;
    let inner = trio.inners[0].clone();
    trio.open_everywhere().await;
    eventually("the session has expired", async || trio.store.counts().await == (0, 0)).await;
    eventually("the inner session is closed", async || inner.sessions() == 0).await;
}

async fn progress_arrives_whatever_its_token_looks_like(backend: Backend) {
    let (trio, inner) = start(backend).await;
    let session = trio.open().await.at(&trio.replicas[1]);
    for token in ["AAAAAAAA.1", "shared.1.MA", "t-1"] {
        let mut progress = notification("notifications/progress");
        progress["params"] = json!({ "progressToken": token, "progress": 1 });
        assert_eq!(session.client.post(&progress).await.status, StatusCode::ACCEPTED);
        assert_eq!(
            serde_json::from_slice::<Value>(&inner.last("notifications/progress").body).expect("JSON"),
            progress
        );
    }
}
