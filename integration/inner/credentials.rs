//! Whose head goes inside: a client's credentials change while its session lasts, and nothing is sent on with old ones.

use http::StatusCode;
use serde_json::{Value, json};

use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::inner::Scripted;
use crate::harness::raw::{Client, SESSION_ID, Session, initialize, notification};
use crate::harness::replica::Replica;
use crate::harness::trio::Trio;

on_every_backend! {
    what_the_layer_says_by_itself_goes_with_the_newest_credentials,
    a_farewell_goes_with_the_head_of_the_request_that_ends_the_session,
    an_answer_that_old_credentials_cannot_deliver_is_delivered_with_the_next,
    a_cancellation_that_old_credentials_cannot_deliver_is_delivered_with_the_next,
    a_login_that_has_expired_reaches_the_client,
    a_confirmation_that_was_refused_is_passed_on_when_it_is_said_again,
    cookies_of_the_inner_session_go_with_every_request_of_it,
}

const AUTHORIZATION: &str = "authorization";

fn with(session: &Session, credentials: &str) -> Session {
    Session { id: session.id.clone(), client: session.client.with(AUTHORIZATION, credentials) }
}

/// From now on the inner services let in these credentials alone.
fn let_in(trio: &Trio, credentials: &'static str) {
    trio.inners.iter().for_each(|inner| inner.script(|script| script.credentials = Some(credentials)));
}

/// A session that every inner service knows by the first credentials.
async fn open_everywhere(trio: &Trio) -> [Session; 3] {
    let session = trio.client().with(AUTHORIZATION, "t1").open("2025-11-25").await;
    let everywhere = trio.everywhere(&session);
    for session in &everywhere {
        assert!(session.works().await);
    }
    everywhere
}

async fn what_the_layer_says_by_itself_goes_with_the_newest_credentials(backend: Backend) {
    let trio = Trio::start(backend).await;
    let everywhere = open_everywhere(&trio).await;
    let _listening = everywhere[0].listen().await;
    trio.all_heard().await;
    let_in(&trio, "t2");
    for session in &everywhere {
        assert!(with(session, "t2").works().await);
    }
    // Each inner service is asked for its stream again once that has ended, and with what is good by then.
    trio.inners.iter().for_each(Scripted::forget);
    for session in &everywhere {
        assert!(with(session, "t2").works().await, "the handshake is replayed with the new credentials");
    }
    trio.all_heard().await;
    for inner in &trio.inners {
        assert_eq!(inner.last("initialize").header(AUTHORIZATION), Some("t2"));
        assert_eq!(inner.last("notifications/initialized").header(AUTHORIZATION), Some("t2"));
        let heard = inner.seen().into_iter().rfind(|seen| seen.http_method == "GET").expect("it was listened to");
        assert_eq!(heard.header(AUTHORIZATION), Some("t2"));
    }
    assert_eq!(with(&everywhere[1], "t2").delete().await.status, StatusCode::NO_CONTENT);
    eventually("no inner session is left", async || trio.inners.iter().all(|inner| inner.sessions() == 0)).await;
}

async fn a_farewell_goes_with_the_head_of_the_request_that_ends_the_session(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let session = Client::of(&replica).with(AUTHORIZATION, "t1").open("2025-11-25").await;
    inner.script(|script| script.credentials = Some("t2"));
    // `content-type` without content is refused by some servers.
    assert_eq!(with(&session, "t2").delete().await.status, StatusCode::NO_CONTENT);
    eventually("the inner session is closed", async || inner.sessions() == 0).await;
}

async fn an_answer_that_old_credentials_cannot_deliver_is_delivered_with_the_next(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [a, b, _] = open_everywhere(&trio).await;
    let mut stream = a.begin(7, "ask", json!({})).await;
    let name = stream.take(2).await.pop().expect("a question").message()["id"].clone();
    let_in(&trio, "t2");
    let answer = json!({ "jsonrpc": "2.0", "id": name, "result": { "action": "accept", "content": {} } });
    let taken = with(&b, "t2").client.post(&answer).await;
    assert_eq!(taken.status, StatusCode::ACCEPTED);
    let refused = async || {
        trio.inners[0].seen().iter().any(|seen| is_answer(&seen.body) && seen.header(AUTHORIZATION) == Some("t1"))
    };
    eventually("it was refused where it was asked", refused).await;

    assert!(with(&a, "t2").works().await);

    let result = stream.all().await.pop().expect("a result");
    assert_eq!(result.message()["result"]["answer"]["result"]["action"], "accept");
    let given = trio.inners[0].seen().into_iter().rfind(|seen| is_answer(&seen.body)).expect("an answer");
    assert_eq!(given.header(AUTHORIZATION), Some("t2"));
}

fn is_answer(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|message| !message["result"].is_null())
}

async fn a_cancellation_that_old_credentials_cannot_deliver_is_delivered_with_the_next(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [a, b, _] = open_everywhere(&trio).await;
    let_in(&trio, "t2");
    let mut cancelled = notification("notifications/cancelled");
    cancelled["params"] = json!({ "requestId": 7 });
    assert_eq!(with(&b, "t2").client.post(&cancelled).await.status, StatusCode::ACCEPTED);
    let told = |credentials: &'static str| {
        let seen = trio.inners[0].seen();
        seen.iter()
            .any(|seen| seen.method() == "notifications/cancelled" && seen.header(AUTHORIZATION) == Some(credentials))
    };
    eventually("the other inner service refused it", async || told("t1")).await;
    assert!(with(&a, "t2").works().await);
    eventually("it is told again", async || told("t2")).await;
}

async fn a_login_that_has_expired_reaches_the_client(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [a, ..] = open_everywhere(&trio).await;
    let_in(&trio, "t2");
    let challenged = a.call("echo", json!({})).await;
    assert_eq!(challenged.status, StatusCode::UNAUTHORIZED);
    assert!(challenged.headers.contains_key("www-authenticate"));
    assert!(with(&a, "t2").works().await);
}

async fn a_confirmation_that_was_refused_is_passed_on_when_it_is_said_again(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let client = Client::of(&replica).with(AUTHORIZATION, "t1");
    let opened = client.post(&initialize("2025-11-25")).await.whole().await;
    let id = opened.session_id().expect("a session id");
    let session = Session { client: client.with(SESSION_ID, &id), id };
    inner.script(|script| script.credentials = Some("t2"));
    let confirmed = notification("notifications/initialized");
    assert_eq!(session.client.post(&confirmed).await.status, StatusCode::UNAUTHORIZED);
    let session = with(&session, "t2");
    assert_eq!(session.client.post(&confirmed).await.status, StatusCode::ACCEPTED);
    assert_eq!(inner.last("notifications/initialized").header(AUTHORIZATION), Some("t2"));
    assert!(session.works().await);
    assert_eq!(inner.asked("notifications/initialized"), 2, "refused once, and told once");
}

async fn cookies_of_the_inner_session_go_with_every_request_of_it(backend: Backend) {
    let trio = Trio::start(backend).await;
    trio.inners.iter().for_each(|inner| inner.script(|script| script.sets_cookies = true));
    let everywhere = trio.everywhere(&trio.open().await);
    for session in &everywhere {
        let own = Session { id: session.id.clone(), client: session.client.with("cookie", "theme=dark; node=stale") };
        assert!(own.works().await);
    }
    let _listening = everywhere[0].listen().await;
    trio.all_heard().await;
    for inner in &trio.inners {
        let called = inner.last("echo");
        assert_eq!(called.header("cookie"), Some("theme=dark; node=inner-0"));
        let heard = inner.seen().into_iter().rfind(|seen| seen.http_method == "GET").expect("it was listened to");
        assert!(
            heard.header("cookie").is_some_and(|line| line.ends_with("node=inner-0")),
            "{:?}",
            heard.header("cookie")
        );
    }
}
