//! Who still needs sessions: both eras are counted by client and version.

use http::StatusCode;
use serde_json::{Value, json};

use super::{api, open_trio};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::raw::{Client, VERSION, modern};
use crate::harness::trio::Trio;

on_every_backend! { clients_of_both_eras_are_counted }

async fn clients_of_both_eras_are_counted(backend: Backend) {
    let trio = open_trio(backend).await;
    trio.open().await;
    let (by_head, by_body) = (trio.client().with(VERSION, "2026-07-28"), trio.client());
    for (number, client) in [&by_head, &by_body, &by_head, &by_body].into_iter().enumerate() {
        let client = client.at(&trio.replicas[number % 3]);
        assert_eq!(client.post(&by(&json!({ "name": "next", "version": "3" }))).await.status, StatusCode::OK);
    }
    assert_eq!(by_head.post(&by(&json!({ "name": "raw", "version": "1.2.3" }))).await.status, StatusCode::OK);
    in_pieces(&by_head, &by(&json!({ "version": "4", "name": "next" }))).await;
    // Who says nothing, or nothing that is worth reading, has no name.
    let mut long = by(&json!({ "name": "next", "version": "5" }));
    long["params"]["text"] = json!("x".repeat(70_000));
    for unnamed in [modern("echo"), by(&json!("next")), by(&json!({ "name": "x".repeat(2000) })), long] {
        assert_eq!(by_head.post(&unnamed).await.status, StatusCode::OK);
    }
    let expected = json!([
        { "client_type": "raw", "client_version": "1.2.3", "sessions": 1, "modern_requests_24h": 1 },
        { "client_type": "", "client_version": "", "sessions": 0, "modern_requests_24h": 4 },
        { "client_type": "next", "client_version": "3", "sessions": 0, "modern_requests_24h": 4 },
        { "client_type": "next", "client_version": "4", "sessions": 0, "modern_requests_24h": 1 },
    ]);
    eventually("all were counted", async || health(&trio).await["eras"]["modern_requests_24h"] == 10).await;
    let health = health(&trio).await;
    assert_eq!((&health["clients"], &health["eras"]["legacy_sessions"]), (&expected, &json!(1)));
}

async fn health(trio: &Trio) -> Value {
    api(&trio.replicas[1], "/health").get().await.whole().await.json()
}

fn by(client: &Value) -> Value {
    let mut message = modern("echo");
    message["params"]["_meta"]["io.modelcontextprotocol/clientInfo"] = client.clone();
    message
}

/// Sends a message a few bytes at a time.
async fn in_pieces(client: &Client, message: &Value) {
    let mut request = format!("{}transfer-encoding: chunked\r\n\r\n", client.head("POST"));
    for piece in message.to_string().as_bytes().chunks(7) {
        request.push_str(&format!("{:x}\r\n{}\r\n", piece.len(), std::str::from_utf8(piece).expect("ASCII")));
    }
    request.push_str("0\r\n\r\n");
    let answer = client.bytes(request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
