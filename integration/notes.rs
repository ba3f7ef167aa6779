//! The notes of the example `server` are resources: what a client hears of them, on which stream, and what a server that
//! remembers nothing says instead.

use serde_json::{Value, json};

use crate::harness::process::Process;
use crate::harness::wire::{Wire, messages_in, read_until};

const COLOUR: &str = "note://colour";
const METHOD_NOT_FOUND: i64 = -32601;

#[tokio::test]
async fn a_new_note_is_announced_on_the_listening_stream_and_not_on_the_call_s() {
    let server = Process::server(&[]).await;
    let wire = Wire::open(&server.mcp()).await;
    let mut stream = wire.listen().await;

    let call = wire.call_begun("note_put", json!({"name": "colour", "value": "teal"}), Some("token")).await;

    let answered = messages_in(&call.text().await.expect("an answer"));
    assert!(matches!(&answered[..], [answer] if answer["result"].is_object()), "{answered:?}");
    let heard = heard_in(&read_until(&mut stream, "list_changed").await);
    assert_eq!(heard, [json!({"jsonrpc": "2.0", "method": "notifications/resources/list_changed"})]);
}

#[tokio::test]
async fn a_note_tells_of_its_changes_from_subscribe_to_unsubscribe() {
    let server = Process::server(&[]).await;
    let wire = Wire::open(&server.mcp()).await;
    let mut stream = wire.listen().await;
    put(&wire, "before").await;
    read_until(&mut stream, "list_changed").await;

    ask(&wire, "resources/subscribe", json!({"uri": COLOUR})).await;
    assert_eq!(whoami(&wire).await["subscriptions"], json!([COLOUR]));
    put(&wire, "between").await;
    ask(&wire, "resources/unsubscribe", json!({"uri": COLOUR})).await;
    assert_eq!(whoami(&wire).await["subscriptions"], json!([]));
    put(&wire, "after").await;
    wire.call("note_put", json!({"name": "last", "value": ""})).await;

    let heard = heard_in(&read_until(&mut stream, "list_changed").await);
    let updated = json!({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": COLOUR}});
    assert_eq!(heard[..heard.len() - 1], [updated]);
}

#[tokio::test]
async fn notes_are_logged_if_the_level_that_the_client_set_allows() {
    let server = Process::server(&[]).await;
    let wire = Wire::open(&server.mcp()).await;
    let mut stream = wire.listen().await;

    for (level, name) in [(None, "unset"), (Some("notice"), "notice"), (Some("info"), "info"), (Some("debug"), "debug")]
    {
        if let Some(level) = level {
            ask(&wire, "logging/setLevel", json!({"level": level})).await;
        }
        assert_eq!(whoami(&wire).await["log_level"], json!(level));
        wire.call("note_put", json!({"name": name, "value": ""})).await;
    }

    let mut heard = heard_in(&read_until(&mut stream, r#"{"noted":"debug"}"#).await);
    heard.retain(|message| message["method"] == "notifications/message");
    let logged: Vec<_> = heard.iter().map(|message| &message["params"]).collect();
    let expected = ["info", "debug"].map(|name| json!({"level": "info", "logger": "notes", "data": {"noted": name}}));
    assert_eq!(logged, expected.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn notes_put_at_once_are_all_listed() {
    for arguments in [&[][..], &["--stateless"]] {
        let server = Process::server(arguments).await;
        let wire = Wire::open(&server.mcp()).await;
        let mut names: Vec<_> = (0..20).map(|n| format!("note-{n}")).collect();

        let puts = names.iter().map(|name| {
            let params = json!({"name": "note_put", "arguments": {"name": name, "value": name}});
            ask_as(name, &wire, "tools/call", params)
        });
        futures::future::join_all(puts).await;

        let listed = ask(&wire, "resources/list", json!({})).await["result"]["resources"].take();
        let listed: Vec<_> = listed.as_array().into_iter().flatten().map(|listed| listed["name"].clone()).collect();
        names.sort();
        assert_eq!(listed, names, "{arguments:?}");
    }
}

#[tokio::test]
async fn a_server_that_remembers_nothing_takes_no_subscription_and_no_level() {
    let server = Process::server(&["--stateless"]).await;
    let wire = Wire::open(&server.mcp()).await;
    for (method, params) in [
        ("resources/subscribe", json!({"uri": COLOUR})),
        ("resources/unsubscribe", json!({"uri": COLOUR})),
        ("logging/setLevel", json!({"level": "info"})),
    ] {
        let answer = ask(&wire, method, params).await;
        assert_eq!(answer["error"]["code"], METHOD_NOT_FOUND, "{method}: {answer}");
    }
    put(&wire, "teal").await;
    let read = ask(&wire, "resources/read", json!({"uri": COLOUR})).await;
    assert_eq!(read["result"]["contents"][0]["text"], "teal", "{read}");
}

#[tokio::test]
async fn what_is_no_note_is_not_found() {
    let server = Process::server(&[]).await;
    let wire = Wire::open(&server.mcp()).await;
    for (method, uri) in [
        ("resources/read", COLOUR),
        ("resources/read", "https://example.com/"),
        ("resources/read", "note://%ff"),
        ("resources/subscribe", "https://example.com/"),
    ] {
        let answer = ask(&wire, method, json!({"uri": uri})).await;
        assert_eq!(answer["error"]["code"], -32002, "{method} {uri}: {answer}");
    }
}

async fn put(wire: &Wire, value: &str) {
    wire.call("note_put", json!({"name": "colour", "value": value})).await;
}

async fn whoami(wire: &Wire) -> Value {
    wire.call("whoami", json!({})).await["structuredContent"].take()
}

/// The answer to a request, error or not.
async fn ask(wire: &Wire, method: &str, params: Value) -> Value {
    ask_as(method, wire, method, params).await
}

/// The same, with an id for the request.
async fn ask_as(id: &str, wire: &Wire, method: &str, params: Value) -> Value {
    let answer = wire.post(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
    messages_in(&answer.text().await.expect("an answer")).pop().expect("one message")
}

/// The whole messages in what was read of a stream.
fn heard_in(read: &str) -> Vec<Value> {
    let whole = read.rfind("\n\n").map_or("", |end| &read[..end]);
    messages_in(whole)
}
