//! A call ends with the response to its own id, and with nothing else; what is said to a notification is not waited for.

use http::StatusCode;
use serde_json::{Value, json};
use tower::Layer;
use tower_mcp_sessions::Resumable;

use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::inner::Scripted;
use crate::harness::raw::{Client, Session, VERSION, request};
use crate::harness::replica::{Replica, layer};

on_every_backend! {
    a_call_ends_with_the_response_to_its_own_id,
    an_error_that_names_no_request_ends_the_call_it_came_to,
    a_stream_of_foreign_responses_ends_with_an_error_for_the_call,
    a_byte_order_mark_before_the_answer_is_read_past,
    a_compressed_answer_that_has_to_be_read_is_an_error_for_the_call,
    the_messages_of_an_array_are_taken_one_by_one,
    a_plain_array_is_searched_for_the_own_response,
    what_is_said_to_a_notification_is_not_waited_for,
}

const EVENTS: &str = "text/event-stream";
const LOG: &str = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}"#;
const FOREIGN: [&str; 3] = [
    r#"{"jsonrpc":"2.0","id":99,"result":{"foreign":true}}"#,
    r#"{"jsonrpc":"2.0","id":"7","result":{"foreign":true}}"#,
    r#"{"jsonrpc":"2.0","id":null,"result":{"foreign":true}}"#,
];
const OWN: &str = r#"{"jsonrpc":"2.0","id":7.0,"result":{"own":true}}"#;

fn event(message: &str) -> String {
    format!("data: {message}\n\n")
}

/// A session for each way an answer goes to the client: relayed as it comes, and recorded.
async fn sessions(backend: Backend, version: &str) -> Vec<(Scripted, Replica, Session)> {
    let mut sessions = Vec::new();
    for resumable in [Resumable::Nothing, Resumable::ListenOnly, Resumable::Streams, Resumable::All] {
        let (store, inner) = (backend.store().await, Scripted::with_sessions());
        let replica = Replica::start(layer(&store).resumable(resumable).build().layer(inner.clone())).await;
        let session = Client::of(&replica).open(version).await;
        sessions.push((inner, replica, session));
    }
    sessions
}

/// All that the client is told when a call numbered 7 is answered so.
async fn told(session: &Session, media: &str, body: &str) -> Vec<Value> {
    let params = json!({ "headers": { "content-type": media }, "body": body });
    let answer = session.client.post(&request(7, "literal", params)).await;
    assert_eq!(answer.status, StatusCode::OK);
    match answer.headers["content-type"] == EVENTS {
        true => answer.events().rest().await,
        false => vec![answer.whole().await.json()],
    }
}

async fn a_call_ends_with_the_response_to_its_own_id(backend: Backend) {
    for (_inner, _replica, session) in sessions(backend, "2025-11-25").await {
        let foreign: String = FOREIGN.map(event).concat();
        let own = serde_json::from_str::<Value>(OWN).unwrap();
        let log = serde_json::from_str::<Value>(LOG).unwrap();
        let alone = told(&session, EVENTS, &(foreign.clone() + &event(OWN))).await;
        assert_eq!(alone, std::slice::from_ref(&own));
        let after_log = event(LOG) + &foreign + &event(OWN) + &event(FOREIGN[0]);
        assert_eq!(told(&session, EVENTS, &after_log).await, [log, own]);
    }
}

async fn an_error_that_names_no_request_ends_the_call_it_came_to(backend: Backend) {
    for (_inner, _replica, session) in sessions(backend, "2025-11-25").await {
        for id in [r#""id":null,"#, ""] {
            let error = format!(r#"{{"jsonrpc":"2.0",{id}"error":{{"code":-32700,"message":"what?"}}}}"#);
            for before in [String::new(), event(LOG)] {
                let last = told(&session, EVENTS, &(before + &event(&error))).await.pop().unwrap();
                assert_eq!(last, json!({ "jsonrpc": "2.0", "id": 7, "error": { "code": -32700, "message": "what?" } }));
            }
        }
    }
}

async fn a_stream_of_foreign_responses_ends_with_an_error_for_the_call(backend: Backend) {
    for (_inner, _replica, session) in sessions(backend, "2025-11-25").await {
        let messages = told(&session, EVENTS, &FOREIGN.map(event).concat()).await;
        assert_eq!((messages.len(), &messages[0]["id"]), (1, &json!(7)), "{messages:?}");
        assert!(messages[0]["error"]["code"].is_i64());
    }
}

async fn a_byte_order_mark_before_the_answer_is_read_past(backend: Backend) {
    for (_inner, _replica, session) in sessions(backend, "2025-11-25").await {
        let own = serde_json::from_str::<Value>(OWN).unwrap();
        let alone = told(&session, EVENTS, &format!("\u{feff}{}", event(OWN))).await;
        assert_eq!(alone, std::slice::from_ref(&own));
        let messages = told(&session, EVENTS, &format!("\u{feff}{}{}", event(LOG), event(OWN))).await;
        assert_eq!((messages.len(), &messages[1]), (2, &own));
    }
}

async fn a_compressed_answer_that_has_to_be_read_is_an_error_for_the_call(backend: Backend) {
    for (_inner, _replica, session) in sessions(backend, "2025-11-25").await {
        let params = json!({ "headers": { "content-type": EVENTS, "content-encoding": "gzip" }, "body": "\u{1f}..." });
        let answer = session.client.post(&request(7, "literal", params)).await.whole().await;
        assert_eq!((answer.status, answer.json()["id"].clone()), (StatusCode::BAD_GATEWAY, json!(7)));
        assert!(answer.text().contains("compressed"), "{}", answer.text());
        assert_eq!(session.call("echo", json!({})).await.status, StatusCode::OK);
    }
    // What is not read passes with its coding told: a client may well understand it.
    let (_inner, _replica, session) = sessions(backend, "2025-11-25").await.swap_remove(1);
    let params = json!({ "headers": { "content-type": "application/json", "content-encoding": "gzip" }, "body": "x" });
    let answer = session.client.post(&request(7, "literal", params)).await.whole().await;
    assert_eq!((answer.status, &answer.headers["content-encoding"]), (StatusCode::OK, &"gzip".parse().unwrap()));
}

async fn the_messages_of_an_array_are_taken_one_by_one(backend: Backend) {
    for (_inner, _replica, session) in sessions(backend, "2025-03-26").await {
        let question = r#"{"jsonrpc":"2.0","id":0,"method":"roots/list"}"#;
        let array = format!("[{LOG}, {question}, {}]", FOREIGN[0]);
        let messages = told(&session, EVENTS, &(event(&array) + &event(&format!("[{OWN}]")))).await;
        assert_eq!(messages.len(), 3, "{messages:?}");
        assert_eq!(
            (&messages[0]["method"], &messages[1]["method"]),
            (&json!("notifications/message"), &json!("roots/list"))
        );
        assert!(messages[1]["id"].as_str().is_some_and(|name| name.len() > 30), "a name of ours: {messages:?}");
        assert_eq!(messages[2]["result"]["own"], true);
    }
}

async fn a_plain_array_is_searched_for_the_own_response(backend: Backend) {
    for (_inner, _replica, session) in sessions(backend, "2025-03-26").await {
        let array = format!(" [{}, {LOG}, {OWN}]", FOREIGN[0]);
        let messages = told(&session, "application/json", &array).await;
        assert_eq!((messages.len(), &messages[0]["result"]["own"]), (1, &json!(true)), "{messages:?}");
        assert_eq!(told(&session, "application/json", OWN).await[0]["result"]["own"], true);
        let params = json!({ "headers": { "content-type": "application/json" }, "body": format!("[{}]", FOREIGN[0]) });
        let answer = session.client.post(&request(7, "literal", params)).await.whole().await;
        assert_eq!((answer.status, answer.json()["id"].clone()), (StatusCode::BAD_GATEWAY, json!(7)));
    }
}

async fn what_is_said_to_a_notification_is_not_waited_for(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    inner.script(|script| script.initialized_stays = true);
    let replica = Replica::of(&store, &inner).await;
    let session = Client::of(&replica).open("2025-11-25").await;
    assert!(session.works().await);
    for media in [EVENTS, "application/json", "text/plain"] {
        let params = json!({ "headers": { "content-type": media, "x-kept": "1" }, "body": event(LOG), "open": true });
        let notification = json!({ "jsonrpc": "2.0", "method": "notifications/literal", "params": params });
        let answer = session.client.with(VERSION, "2025-11-25").post(&notification).await.whole().await;
        assert_eq!((answer.status, answer.text()), (StatusCode::ACCEPTED, ""), "{media}");
        assert_eq!((answer.headers.get("content-type"), &answer.headers["x-kept"]), (None, &"1".parse().unwrap()));
    }
    let refusal = json!({ "status": 401, "headers": { "www-authenticate": "Bearer" } });
    let notification = json!({ "jsonrpc": "2.0", "method": "notifications/literal", "params": refusal });
    let answer = session.client.post(&notification).await;
    assert_eq!(
        (answer.status, &answer.headers["www-authenticate"]),
        (StatusCode::UNAUTHORIZED, &"Bearer".parse().unwrap())
    );
}
