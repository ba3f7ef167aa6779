//! How a viewer is let in, and what it is told first.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tower_mcp_sessions::monitor::{Access, Role};

use super::socket::{Knock, PROTOCOL, Socket, types};
use super::{REVISION, open_trio, trio};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::login::everybody_as;
use crate::harness::raw::Client;
use crate::harness::trio::Trio;

on_every_backend! {
    hello_is_answered_with_a_welcome_a_snapshot_and_then_what_happens,
    a_cursor_of_one_replica_is_good_on_another,
    a_cursor_that_is_none_leads_to_a_snapshot,
    counts_are_told_at_first_when_they_change_and_to_whoever_comes_back,
    a_snapshot_of_a_moment_ago_comes_with_the_counts_of_now,
    who_comes_back_sees_who_was_used_meanwhile,
    a_filter_keeps_others_away_and_can_be_changed,
    whoever_does_not_say_hello_is_sent_away,
    a_token_may_come_with_hello,
    the_subprotocol_is_agreed_on,
    a_foreign_origin_is_not_upgraded,
    a_page_of_an_allowed_host_is_upgraded_and_may_act,
    a_request_that_is_no_upgrade_is_told_so,
    no_more_are_let_in_than_there_is_room_for,
}

async fn hello_is_answered_with_a_welcome_a_snapshot_and_then_what_happens(backend: Backend) {
    let trio = open_trio(backend).await;
    let before = trio.open().await;
    let mut socket = Socket::to(&trio.replicas[1]).await;
    let welcome = socket.greet(json!({ "t": "hello" })).await;
    assert_eq!(welcome, json!({ "t": "welcome", "v": 1, "replica": "b", "ping_ms": 25_000, "resume": true }));
    let snapshot = socket.update().await;
    assert_eq!(
        (&snapshot["mode"], &snapshot["v"], &snapshot["state"]),
        (&json!("snapshot"), &json!(1), &json!("live"))
    );
    assert_eq!((&snapshot["from"], &snapshot["more"]), (&Value::Null, &Value::Null));
    assert_eq!(types(&snapshot), ["session_updated"]);
    let shown = &snapshot["events"][0]["session"];
    assert_eq!((&shown["session_id"], &shown["status"]), (&json!(before.key()), &json!("active")));
    assert_eq!(snapshot["stats"]["status_breakdown"], json!({ "active": 1, "disconnected": 0, "total": 1 }));

    let mut cursor = snapshot["to"].clone();
    let session = trio.open().await;
    let key = session.key().to_owned();
    session.at(&trio.replicas[2]).delete().await;
    let mut happened = Vec::new();
    while happened.len() < 2 {
        let update = socket.update().await;
        assert_eq!((&update["mode"], &update["from"]), (&json!("delta"), &cursor), "no step is left out");
        cursor = update["to"].clone();
        let events = update["events"].as_array().unwrap().iter().filter(|event| event["type"] != "session_updated");
        happened.extend(events.cloned());
    }
    let told: Vec<_> = happened.iter().map(|event| (&event["type"], &event["session"]["session_id"])).collect();
    assert_eq!(told, [(&json!("session_created"), &json!(key)), (&json!("session_terminated"), &json!(key))]);
    assert_eq!(happened[0]["n"].as_u64().unwrap() + 1, happened[1]["n"].as_u64().unwrap());
    assert_eq!(happened[1]["reason"], "closed_by_client");
    let session = &happened[0]["session"];
    assert_eq!(
        (&session["client_type"], &session["client_version"], &session["protocol_version"], &session["era"]),
        (&json!("raw"), &json!("1.2.3"), &json!(REVISION), &json!("legacy"))
    );
    assert_eq!((&session["replica"], &session["reconnect_count"]), (&json!("a"), &json!(0)));
    assert!(session["created_at"].is_u64() && session["last_seen_at"].is_u64());
}

async fn a_cursor_of_one_replica_is_good_on_another(backend: Backend) {
    let trio = open_trio(backend).await;
    let mut socket = Socket::hello(&trio.replicas[0]).await;
    let cursor = socket.update().await["to"].as_str().unwrap().to_owned();
    drop(socket);
    let missed = [trio.open().await, trio.open().await];
    for replica in &trio.replicas {
        let mut socket = Socket::resume(replica, &cursor).await;
        let (mut from, mut found) = (json!(cursor), Vec::new());
        while found.len() < missed.len() {
            let update = socket.happening().await;
            assert_eq!(update["from"], from);
            from = update["to"].clone();
            let keys = update["events"].as_array().unwrap().iter().map(|event| event["session"]["session_id"].clone());
            found.extend(keys);
        }
        assert_eq!(found, [json!(missed[0].key()), json!(missed[1].key())], "once, in order");
    }
    // And one that is ahead of where it is shown.
    for round in 0..10 {
        let replica = &trio.replicas[round % 3];
        let mut socket = Socket::resume(replica, &cursor).await;
        let session = trio.open().await;
        let cursor = loop {
            let update = socket.happening().await;
            if update.to_string().contains(session.key()) {
                break update["to"].as_str().unwrap().to_owned();
            }
        };
        let mut elsewhere = Socket::resume(&trio.replicas[(round + 1) % 3], &cursor).await;
        let next = trio.open().await;
        let update = elsewhere.happening().await;
        assert_eq!((&update["from"], types(&update)), (&json!(cursor), vec!["session_created"]));
        assert_eq!(update["events"][0]["session"]["session_id"], next.key());
    }
}

async fn a_cursor_that_is_none_leads_to_a_snapshot(backend: Backend) {
    let trio = open_trio(backend).await;
    trio.open().await;
    let mut socket = Socket::resume(&trio.replicas[0], "rubbish").await;
    let error = socket.next().await;
    assert_eq!(error["t"], "error", "{error}");
    assert_eq!(socket.update().await["mode"], "snapshot");
}

async fn counts_are_told_at_first_when_they_change_and_to_whoever_comes_back(backend: Backend) {
    let trio = open_trio(backend).await;
    let session = trio.open().await;
    let mut socket = Socket::hello(&trio.replicas[0]).await;
    let total = |update: &Value| update["stats"]["status_breakdown"]["total"].as_u64();
    let snapshot = socket.update().await;
    assert_eq!(total(&snapshot), Some(1), "{snapshot}");
    // It was used, which moves no session from one count to another.
    assert_eq!(session.call("tools/list", json!({})).await.status, StatusCode::OK);
    let used = socket.update().await;
    assert_eq!((types(&used), &used["stats"]), (vec!["session_updated"], &Value::Null), "{used}");
    trio.open().await;
    let cursor = loop {
        let update = socket.update().await;
        if total(&update) == Some(2) {
            break update["to"].as_str().unwrap().to_owned();
        }
        assert_eq!(total(&update), None, "{update}");
    };
    let mut again = Socket::resume(&trio.replicas[0], &cursor).await;
    let update = again.update().await;
    assert_eq!((&update["from"], &update["to"], total(&update)), (&json!(cursor), &json!(cursor), Some(2)));
}

/// A snapshot is shared for a second, and counts that changed without an event are told once.
async fn a_snapshot_of_a_moment_ago_comes_with_the_counts_of_now(backend: Backend) {
    let trio = open_trio(backend).await;
    let total = |update: &Value| update["stats"]["status_breakdown"]["total"].as_u64();
    let mut first = Socket::hello(&trio.replicas[0]).await;
    assert_eq!(total(&first.update().await), Some(0));
    trio.open().await;
    while total(&first.update().await) != Some(1) {}
    let mut second = Socket::hello(&trio.replicas[0]).await;
    while total(&second.update().await) != Some(1) {}
}

async fn who_comes_back_sees_who_was_used_meanwhile(backend: Backend) {
    let trio = open_trio(backend).await;
    let session = trio.open().await;
    let mut socket = Socket::hello(&trio.replicas[0]).await;
    let snapshot = socket.update().await;
    let before = snapshot["events"][0]["session"]["last_seen_at"].as_u64().unwrap();
    drop(socket);
    assert_eq!(session.call("tools/list", json!({})).await.status, StatusCode::OK);
    eventually("it is told without an event", async || {
        let mut again = Socket::resume(&trio.replicas[2], snapshot["to"].as_str().unwrap()).await;
        let update = again.update().await;
        assert_eq!(
            (&update["mode"], &update["from"], &update["to"]),
            (&json!("delta"), &snapshot["to"], &snapshot["to"])
        );
        let seen = |event: &Value| event["session"]["last_seen_at"].as_u64().is_some_and(|at| at > before);
        update["events"].as_array().unwrap().iter().any(seen)
    })
    .await;
}

async fn a_filter_keeps_others_away_and_can_be_changed(backend: Backend) {
    let trio = open_trio(backend).await;
    let (one, other) = (trio.open().await, trio.open().await);
    let mut socket = Socket::to(&trio.replicas[0]).await;
    socket.greet(json!({ "t": "hello", "filter": { "q": one.key(), "later": 1 } })).await;
    let snapshot = socket.update().await;
    assert_eq!(snapshot["events"].as_array().unwrap().len(), 1);
    assert_eq!(snapshot["events"][0]["session"]["session_id"], one.key());
    other.delete().await;
    one.delete().await;
    let update = socket.happening().await;
    assert_eq!(update["events"][0]["session"]["session_id"], one.key());
    let (new, mut at) = (trio.open().await, update["to"].clone());
    socket.say(&json!({ "t": "filter", "filter": { "client": "raw" } })).await;
    let shown = loop {
        let update = socket.update().await;
        if update["mode"] == "snapshot" {
            break update;
        }
        assert_eq!(update["from"], at, "nothing is lost on the way");
        at = update["to"].clone();
    };
    assert_eq!((&shown["from"], &shown["to"]), (&Value::Null, &at), "it stands where the viewer stands");
    assert_eq!(shown["events"][0]["session"]["session_id"], new.key(), "what it did not see before");
    // It is read before what happens later: the server looks at what a viewer says first.
    socket.say(&json!({ "t": "filter", "filter": { "types": ["session_terminated"] } })).await;
    let session = trio.open().await;
    session.delete().await;
    let update = loop {
        let update = socket.happening().await;
        if update.to_string().contains(session.key()) {
            break update;
        }
    };
    assert_eq!(types(&update), ["session_terminated"]);
}

async fn whoever_does_not_say_hello_is_sent_away(backend: Backend) {
    let trio = trio(backend, |m| m.access(everybody_as(Role::View)).hello_within(Duration::from_millis(300))).await;
    let mut other = Socket::to(&trio.replicas[0]).await;
    other.say(&json!({ "t": "filter" })).await;
    let mut talker = Socket::to(&trio.replicas[0]).await;
    talker.say(&json!({ "t": "pong" })).await;
    talker.say(&json!({ "t": "of a later version" })).await;
    for socket in [Socket::to(&trio.replicas[0]).await, talker, other] {
        let (frames, code) = socket.rest().await;
        assert_eq!(code, Some(4003));
        assert_eq!((&frames[0]["t"], &frames[0]["code"]), (&json!("bye"), &json!(4003)));
        assert!(frames[0]["retry_ms"].is_u64(), "{frames:?}");
    }
}

async fn a_token_may_come_with_hello(backend: Backend) {
    let trio = trio(backend, |m| m.access(Access::bearer("of the tests", Role::View))).await;
    let replica = &trio.replicas[0];
    for hello in
        [json!({ "t": "hello" }), json!({ "t": "hello", "token": "another" }), json!({ "t": "hello", "token": "" })]
    {
        let mut socket = Socket::to(replica).await;
        socket.say(&hello).await;
        let (frames, code) = socket.rest().await;
        assert_eq!((code, frames.len()), (Some(4501), 1), "{hello}");
        assert_eq!((&frames[0]["t"], &frames[0]["retry_ms"]), (&json!("bye"), &Value::Null), "{frames:?}");
    }
    let mut socket = Socket::to(replica).await;
    socket.greet(json!({ "t": "hello", "token": "of the tests" })).await;
    assert_eq!(socket.update().await["mode"], "snapshot");
    let knock = Knock::at(replica).with("authorization", "Bearer of the tests");
    let mut socket = knock.open().await.unwrap();
    socket.greet(json!({ "t": "hello", "token": "another" })).await;
    assert_eq!(socket.update().await["mode"], "snapshot");
}

async fn the_subprotocol_is_agreed_on(backend: Backend) {
    let trio = open_trio(backend).await;
    let knock = || Knock::at(&trio.replicas[0]);
    let offer = "sec-websocket-protocol";
    let socket = knock().with(offer, &format!("other, {PROTOCOL}")).open().await.unwrap();
    assert_eq!(socket.headers[offer], PROTOCOL);
    let socket = knock().open().await.unwrap();
    assert_eq!(socket.headers.get(offer), None);
}

async fn a_foreign_origin_is_not_upgraded(backend: Backend) {
    let trio = open_trio(backend).await;
    let knock = |origin| Knock::at(&trio.replicas[0]).with("origin", origin);
    for origin in ["https://evil.example", "null", "http://localhost.evil.example"] {
        let refused = knock(origin).open().await.err().expect("no upgrade");
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{origin}");
    }
    assert!(knock("http://localhost:3000").open().await.is_ok());
    let closed = self::trio(backend, |m| m).await;
    let refused = Knock::at(&closed.replicas[0]).open().await.err().expect("no upgrade");
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
}

/// As behind a proxy that ends TLS: the page's origin is https, and `Host` is passed on.
async fn a_page_of_an_allowed_host_is_upgraded_and_may_act(backend: Backend) {
    let trio = Trio::monitored(
        backend.store().await,
        |_, builder| builder.allow_host("mcp.example.com"),
        |m| m.access(Access::from_fn(|_| Some(Role::Admin))).allow_terminate(true),
    )
    .await;
    let key = trio.open().await.key().to_owned();
    let knock = |origin| Knock::at(&trio.replicas[0]).with("host", "mcp.example.com").with("origin", origin);
    let client = trio.client().with("host", "mcp.example.com").at_path(format!("/api/mcp/sessions/{key}"));
    let delete = async |origin| client.with("origin", origin).send(http::Method::DELETE, "").await.status;
    for origin in ["https://evil.example", "https://mcp.example.com.evil.example", "https://mcp.example.com:8443"] {
        let refused = knock(origin).open().await.err().expect("no upgrade");
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{origin}");
        assert_eq!(delete(origin).await, StatusCode::FORBIDDEN, "{origin}");
    }
    assert!(knock("https://mcp.example.com").open().await.is_ok());
    assert!(delete("https://mcp.example.com").await.is_success());
}

async fn a_request_that_is_no_upgrade_is_told_so(backend: Backend) {
    let trio = open_trio(backend).await;
    let client = Client::of(&trio.replicas[0]).at_path("/ws/sessions");
    let answer = client.get().await.whole().await;
    assert_eq!(answer.status, StatusCode::UPGRADE_REQUIRED);
    assert_eq!(answer.headers["upgrade"], "websocket");
    assert!(answer.json()["error"].as_str().unwrap().contains("sse/sessions"), "{}", answer.text());
    let upgrading = client
        .with("connection", "upgrade")
        .with("upgrade", "websocket")
        .with("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    for (version, method) in [("12", http::Method::GET), ("13", http::Method::POST)] {
        let answer = upgrading.with("sec-websocket-version", version).send(method, "").await;
        assert!([StatusCode::UPGRADE_REQUIRED, StatusCode::METHOD_NOT_ALLOWED].contains(&answer.status));
    }
}

async fn no_more_are_let_in_than_there_is_room_for(backend: Backend) {
    let trio = trio(backend, |m| m.access(everybody_as(Role::View)).viewers(2)).await;
    let first = Socket::hello(&trio.replicas[0]).await;
    let sse = Client::of(&trio.replicas[0]).at_path("/sse/sessions");
    let mut second = sse.get().await.events();
    second.event().await.expect("the stream is open");
    let refused = Knock::at(&trio.replicas[0]).open().await.err().expect("no upgrade");
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(sse.get().await.status, StatusCode::SERVICE_UNAVAILABLE);
    drop(first);
    eventually("the seat is free again", async || Knock::at(&trio.replicas[0]).open().await.is_ok()).await;
    drop(second);
}
