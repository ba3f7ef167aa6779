//! The examples' `--principal-header`: whoever has exactly one name is somebody, and nobody else is let in.

use http::{HeaderValue, Method, StatusCode};
use serde_json::json;

use super::Era;
use crate::harness::process::Process;
use crate::harness::raw::{Client, VERSION, request};

#[tokio::test]
async fn exactly_one_name_in_utf_8_is_a_principal() {
    let server = Process::server(&["--principal-header", "x-user"]).await;
    let nobody = Client::to(server.address());
    let mut sessions = Vec::new();
    for name in ["José", "Zoë", "alice", "a, b"] {
        for sent in [name.to_owned(), format!(" {name}\t")] {
            let session = nobody.with_bytes("x-user", sent.as_bytes()).open("2025-11-25").await;
            let who = session.call("tools/call", json!({ "name": "whoami" })).await.json();
            assert_eq!(who["result"]["structuredContent"]["principal"], name);
            sessions.push((name, session));
        }
    }
    for (owner, session) in &sessions {
        for name in ["José", "Zoë", "alice", "a, b"] {
            let listed = session.client.with_bytes("x-user", name.as_bytes());
            let listed = listed.post(&request(1, "tools/list", json!({}))).await.status;
            assert_eq!(listed == StatusCode::OK, name == *owner, "{owner}'s session, asked by {name}");
        }
    }

    let latin_1 = nobody.with_bytes("x-user", b"Jos\xe9");
    let overlong = nobody.with_bytes("x-user", b"\xc0\xae");
    let refused = [nobody.clone(), nobody.with("x-user", ""), nobody.with("x-user", " \t "), latin_1, overlong];
    for (client, era) in refused.iter().flat_map(|client| Era::ALL.map(|era| (client, era))) {
        let client = era.client(client);
        for method in ["initialize", "tools/list"] {
            let answer = client.post(&era.message(method)).await.whole().await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{era:?} {method}");
            let told = answer.json()["error"]["message"].take();
            assert!(told.as_str().unwrap().contains("x-user has to name you, once"), "{told}");
        }
        for method in [Method::GET, Method::DELETE] {
            assert_eq!(client.send(method, "").await.status, StatusCode::UNAUTHORIZED, "{era:?}");
        }
    }
    let twice = HeaderValue::from_static("alice");
    for version in ["2025-11-25", "2026-07-28"] {
        let head = nobody.with("x-user", twice.to_str().unwrap()).with(VERSION, version).head("GET");
        let answer = nobody.bytes(format!("{head}x-user: alice\r\n\r\n").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    }
}
