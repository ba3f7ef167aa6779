//! A question of the inner service reaches the client, or is answered with an error: nobody waits for what will never come.

use http::StatusCode;
use serde_json::{Value, json};

use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::raw::request;
use crate::harness::trio::Trio;

on_every_backend! {
    a_question_with_nulls_beside_its_method_is_asked_without_them,
    a_question_with_a_long_id_is_asked_and_answered_under_it,
    a_question_that_cannot_go_out_is_answered_with_an_error,
    a_client_may_write_nulls_beside_its_method_and_long_ids,
}

async fn a_question_with_nulls_beside_its_method_is_asked_without_them(backend: Backend) {
    let trio = Trio::start(backend).await;
    let session = trio.open().await;
    let mut listening = session.listen().await;
    listening.take(1).await;
    let inner = &trio.inners[0];
    eventually("the inner service is heard", async || inner.ears() == 1).await;
    let nulls =
        json!({ "jsonrpc": "2.0", "id": 0, "method": "roots/list", "params": null, "result": null, "error": null });
    inner.say(&nulls);
    let asked = listening.take(1).await.pop().expect("a question");
    let name = &asked.message()["id"];
    assert_eq!(asked.message(), &json!({ "jsonrpc": "2.0", "id": name, "method": "roots/list" }));
    let answer = json!({ "jsonrpc": "2.0", "id": name, "result": { "roots": [] } });
    assert_eq!(session.client.post(&answer).await.status, StatusCode::ACCEPTED);
    eventually("the answer arrives", async || inner.answers().len() == 1).await;
    assert_eq!(inner.answers()[0]["id"], 0);

    inner.say(&json!({ "jsonrpc": "2.0", "id": null, "method": "notifications/tools/list_changed", "result": null }));
    let noted = listening.take(1).await.pop().expect("a notification");
    assert_eq!(noted.message()["method"], "notifications/tools/list_changed");
    assert!(noted.message().get("id").is_none() && noted.message().get("result").is_none(), "{noted:?}");
}

async fn a_question_with_a_long_id_is_asked_and_answered_under_it(backend: Backend) {
    let trio = Trio::start(backend).await;
    let session = trio.open().await;
    let mut listening = session.listen().await;
    listening.take(1).await;
    let inner = &trio.inners[0];
    eventually("the inner service is heard", async || inner.ears() == 1).await;
    let long = "x".repeat(5000);
    inner.say(&json!({ "jsonrpc": "2.0", "id": long, "method": "roots/list" }));
    let name = listening.take(1).await.pop().expect("a question").message()["id"].clone();
    let answer = json!({ "jsonrpc": "2.0", "id": name, "result": { "roots": [] } });
    assert_eq!(session.client.post(&answer).await.status, StatusCode::ACCEPTED);
    eventually("the answer arrives", async || inner.answers().len() == 1).await;
    assert_eq!(inner.answers()[0]["id"], long);
}

async fn a_question_that_cannot_go_out_is_answered_with_an_error(backend: Backend) {
    let trio = Trio::start(backend).await;
    let session = trio.open().await;
    let mut listening = session.listen().await;
    listening.take(1).await;
    let inner = &trio.inners[0];
    eventually("the inner service is heard", async || inner.ears() == 1).await;
    let errors = || -> Vec<Value> {
        let said = inner.seen().into_iter().filter_map(|seen| serde_json::from_slice::<Value>(&seen.body).ok());
        said.filter(|message| message["error"].is_object()).map(|message| message["id"].clone()).collect()
    };
    let mut expected = Vec::new();
    for (unreadable, told) in [
        (json!({ "jsonrpc": "2.0", "id": 5, "method": "roots/list", "result": {} }), json!(5)),
        (json!({ "jsonrpc": "2.0", "id": { "a": 1 }, "method": "roots/list" }), Value::Null),
        (json!({ "jsonrpc": "2.0", "id": "six", "method": 6 }), json!("six")),
    ] {
        inner.say(&unreadable);
        expected.push(told);
        eventually("it is answered", async || errors() == expected).await;
    }
    // In a call as well.
    let asks = r#"{"jsonrpc":"2.0","id":7,"method":"roots/list","error":{}}"#;
    let done = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    let params = json!({ "headers": { "content-type": "text/event-stream" }, "body": format!("data: {asks}\n\ndata: {done}\n\n") });
    let told = session.client.post(&request(1, "literal", params)).await.events().rest().await;
    assert_eq!(told, [serde_json::from_str::<Value>(done).unwrap()]);
    expected.push(json!(7));
    eventually("it is answered", async || errors() == expected).await;
}

async fn a_client_may_write_nulls_beside_its_method_and_long_ids(backend: Backend) {
    let trio = Trio::start(backend).await;
    let session = trio.open().await;
    let long = "x".repeat(300);
    for (id, nulls) in
        [(json!(1), json!({ "error": null })), (json!(2), json!({ "result": null })), (json!(long), json!({}))]
    {
        let mut call = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/list" });
        call.as_object_mut().unwrap().extend(nulls.as_object().unwrap().clone());
        let answer = session.client.post(&call).await.whole().await;
        assert_eq!((answer.status, &answer.json()["id"]), (StatusCode::OK, &id));
    }
    assert!(session.works().await);
}
