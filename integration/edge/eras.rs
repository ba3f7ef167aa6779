//! The two eras: which requests are modern, and that the layer leaves those alone.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::inner::Scripted;
use crate::harness::raw::{Client, SESSION_ID, VERSION, initialize, modern, notification, request};
use crate::harness::replica::Replica;

on_every_backend! {
    modern_requests_pass_byte_for_byte_without_the_headers_of_sessions,
    each_request_finds_its_era,
    a_session_takes_known_versions_and_refuses_others,
    the_sessions_version_is_put_in_where_the_client_leaves_it_out,
}

async fn modern_requests_pass_byte_for_byte_without_the_headers_of_sessions(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let session = Client::of(&replica).open("2025-11-25").await;
    let odd = format!("\r\n  {}\t", modern("echo")).replace(':', " :\t");
    let commands = store.commands();
    for id in ["garbage", &session.id] {
        let client = Client::of(&replica)
            .with(SESSION_ID, id)
            .with("last-event-id", "5")
            .with("mcp-reconnect-token", "secret")
            .with("mcp-param-region", "eu");
        for client in [client.with(VERSION, "2026-07-28"), client.clone(), client.with(VERSION, "2027-01-01")] {
            let answer = client.send(Method::POST, odd.clone()).await.whole().await;
            assert_eq!((answer.status, answer.session_id()), (StatusCode::OK, None));
            let seen = inner.last("echo");
            assert_eq!(seen.body, odd);
            for taken_off in ["mcp-session-id", "last-event-id", "mcp-reconnect-token"] {
                assert_eq!(seen.header(taken_off), None);
            }
            assert_eq!(seen.header("mcp-param-region"), Some("eu"));
            assert!(seen.session.is_none());
        }
    }
    assert_eq!(store.commands(), commands, "modern requests cost the store nothing");
}

/// Where a request ends up.
#[derive(Debug, PartialEq)]
enum Fate {
    /// At the inner service, untouched.
    Passes,
    /// In the session.
    Legacy,
    Refused(u16),
}

async fn each_request_finds_its_era(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let session = Client::of(&replica).open("2025-11-25").await;
    let call = request(1, "echo", json!({}));
    let mut claims_nonsense = modern("echo");
    claims_nonsense["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = Value::Null;
    let plain_meta = request(1, "echo", json!({ "_meta": { "progressToken": 1 } }));
    let modern_initialize = modern("initialize");
    let answer = json!({ "jsonrpc": "2.0", "id": 1, "result": {} });
    let post = Method::POST;
    use Fate::{Legacy, Passes, Refused};
    for (method, version, body, fate) in [
        (&post, None, &call, Legacy),
        (&post, Some("2025-03-26"), &call, Legacy),
        (&post, Some("2025-06-18"), &call, Legacy),
        (&post, Some("2025-11-25"), &call, Legacy),
        (&post, Some("2026-07-27"), &call, Refused(400)),
        (&post, Some("2024-11-05"), &call, Legacy),
        (&post, Some("2024-10-07"), &call, Refused(400)),
        (&post, Some("latest"), &call, Refused(400)),
        (&post, Some(""), &call, Refused(400)),
        (&post, Some("2026-07-28"), &call, Passes),
        (&post, Some("2031-12-31"), &call, Passes),
        (&post, None, &modern("echo"), Passes),
        (&post, Some("2025-11-25"), &modern("echo"), Passes),
        (&post, Some("latest"), &modern("echo"), Passes),
        (&post, None, &claims_nonsense, Passes),
        (&post, None, &plain_meta, Legacy),
        (&post, None, &modern_initialize, Passes),
        (&post, None, &answer, Refused(400)), // legacy, and an answer to nothing
        (&post, None, &notification("notifications/cancelled"), Legacy),
        (&Method::GET, None, &Value::Null, Legacy),
        (&Method::GET, Some("2026-07-28"), &Value::Null, Passes),
        (&Method::GET, Some("latest"), &Value::Null, Refused(400)),
        (&Method::DELETE, Some("2026-07-28"), &Value::Null, Passes),
        (&Method::DELETE, Some("latest"), &Value::Null, Refused(400)),
        (&Method::OPTIONS, None, &Value::Null, Passes),
        (&Method::PUT, Some("2026-07-28"), &Value::Null, Refused(405)),
    ] {
        let client = match version {
            Some(version) => session.client.with(VERSION, version),
            None => session.client.without(VERSION),
        };
        let before = inner.seen().len();
        let answer = client.send(method.clone(), if body.is_null() { String::new() } else { body.to_string() }).await;
        let found = match inner.seen().get(before) {
            Some(seen) if seen.session.is_some() => Legacy,
            Some(seen) => {
                assert_eq!(seen.header("mcp-session-id"), None);
                Passes
            }
            None => Refused(answer.status.as_u16()),
        };
        assert_eq!(found, fate, "{method} {version:?} {body}");
        eventually("what was minted for a modern initialize is closed", async || inner.sessions() == 1).await;
    }
    assert_eq!(store.counts().await, (1, 0), "the session is as it was");
}

async fn a_session_takes_known_versions_and_refuses_others(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let session = Client::of(&replica).open("2025-06-18").await;
    for (version, status) in [
        ("2024-11-05", 200),
        ("2025-03-26", 200),
        ("2025-11-25", 200),
        ("2024-10-07", 400),
        ("2025-06-19", 400),
        ("draft", 400),
    ] {
        let answer = session.client.with(VERSION, version).call("echo", json!({})).await;
        assert_eq!(answer.status, status, "{version}");
        let declaring = session.client.with(VERSION, version);
        let told = declaring.post(&notification("notifications/cancelled")).await.status;
        assert_eq!(told, if status == 200 { 202 } else { status }, "{version}");
        assert_eq!(declaring.get().await.status, status, "{version}");
        let another = Client::of(&replica).open("2025-06-18").await;
        let deleted = another.client.with(VERSION, version).delete().await.status;
        assert_eq!(deleted, if status == 200 { 204 } else { status }, "{version}");
    }
    assert!(session.works().await);
    let doubled = format!("{}{VERSION}: 2025-06-18\r\ncontent-length: 2\r\n\r\n{{}}", session.client.head("POST"));
    assert!(session.client.bytes(doubled.as_bytes()).await.starts_with("HTTP/1.1 400 "));
}

async fn the_sessions_version_is_put_in_where_the_client_leaves_it_out(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    for version in crate::harness::raw::LEGACY {
        let session = Client::of(&replica).open(version).await;
        session.client.without(VERSION).call("echo", json!({})).await;
        assert_eq!(inner.last("echo").header("mcp-protocol-version"), Some(version));
        session.client.with(VERSION, "2025-06-18").call("echo", json!({})).await;
        assert_eq!(inner.last("echo").header("mcp-protocol-version"), Some("2025-06-18"), "the client's word stands");
    }
    Client::of(&replica).post(&initialize("2025-11-25")).await;
    assert_eq!(inner.last("initialize").header("mcp-protocol-version"), None);
}
