//! Bodies: one parse decides, in exact case; what two readers could read differently is refused; limits hold while a body
//! streams.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::{Layer, ServiceExt};

use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::{eventually, soon};
use crate::harness::inner::Scripted;
use crate::harness::raw::{Client, LEGACY, Session, initialize, notification, request};
use crate::harness::replica::{Replica, layer};

on_every_backend! {
    envelope_tricks_are_refused_and_never_reach_the_inner_service,
    odd_but_valid_messages_reach_the_inner_service_as_they_are,
    an_encoded_body_is_415_and_read_by_nobody,
    the_inner_service_sees_the_very_bytes_that_were_judged,
    batches_are_for_2025_03_26_alone_and_bounded,
    a_body_over_the_limit_is_413_however_it_is_sent,
    a_client_that_sends_too_much_before_it_reads_gets_its_answer,
    a_handshake_too_long_to_keep_is_413,
    an_inner_service_that_fails_over_a_long_body_does_not_hide_the_413,
    a_body_that_breaks_off_reaches_nobody,
}

async fn open(backend: Backend, version: &str) -> (Scripted, Replica, Session) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    let session = Client::of(&replica).open(version).await;
    (inner, replica, session)
}

async fn envelope_tricks_are_refused_and_never_reach_the_inner_service(backend: Backend) {
    let (inner, _replica, session) = open(backend, "2025-11-25").await;
    let before = inner.seen().len();
    let deep = format!(r#"{{"id":1,"method":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let unbalanced = "[".repeat(1_000_000);
    for trick in [
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"echo"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"echo","method":"initialize"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"echo","m\u0065thod":"initialize"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"echo","params":{},"params":{"a":1}}"#,
        r#"{"jsonrpc":"2.0","id":1,"Method":"initialize"}"#,
        r#"{"jsonrpc":"2.0","ID":1,"METHOD":"echo"}"#,
        r#"{"jsonrpc":"2.0","id":null,"method":"echo"}"#,
        r#"{"jsonrpc":"2.0","id":{"a":1},"method":"echo"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"echo","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"echo"} {"jsonrpc":"2.0","id":2,"method":"echo"}"#,
        r#""echo""#,
        "",
        "{",
        "\u{feff}{}",
        &deep,
        &unbalanced,
    ] {
        let answer = session.client.send(Method::POST, trick.to_owned()).await.whole().await;
        let start: String = trick.chars().take(80).collect();
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{start}");
        assert!(answer.json()["error"]["code"].is_i64(), "{start}");
    }
    let not_utf8 = session.client.send(Method::POST, &b"{\"id\":1,\"method\":\"\xff\xfe\"}"[..]).await;
    assert_eq!(not_utf8.status, StatusCode::BAD_REQUEST);
    assert_eq!(inner.seen().len(), before);
    let capital =
        session.client.post(&json!({ "jsonrpc": "2.0", "id": 5, "method": "Initialize" })).await.whole().await;
    assert_eq!(capital.json()["error"]["message"], "no method Initialize", "it is a method like any other");
}

async fn odd_but_valid_messages_reach_the_inner_service_as_they_are(backend: Backend) {
    let (inner, _replica, session) = open(backend, "2025-11-25").await;
    let long = "x".repeat(300);
    let longer = "x".repeat(100_000);
    for odd in [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","error":null}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","result":null,"params":null}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":null}}"#,
        r#"{"jsonrpc":"2.0","id":1,"\u006dethod":"tools/list"}"#,
        &format!(r#"{{"jsonrpc":"2.0","id":"{long}","method":"tools/list"}}"#),
        &format!(r#"{{"jsonrpc":"2.0","id":"{longer}","method":"tools/list"}}"#),
    ] {
        let answer = session.client.send(Method::POST, odd.to_owned()).await.whole().await;
        let start: String = odd.chars().take(80).collect();
        assert_eq!(answer.status, StatusCode::OK, "{start}");
        let asked: Value = serde_json::from_str(odd).unwrap();
        assert_eq!((&answer.json()["id"], answer.json()["result"].is_object()), (&asked["id"], true), "{start}");
        assert_eq!(inner.last("tools/list").body, odd, "{start}");
    }
    // The inner service here reads none of these, and says so itself.
    for odd in [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","\ud800":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"\ud800":{"\udfff":1},"_meta":{"\ud800":0}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"\ud800"}"#,
        r#"{"jsonrpc":"2.0","id":"\ud800","method":"tools/list"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"\ud800":1,"requestId":1}}"#,
    ] {
        let answer = session.client.send(Method::POST, odd).await;
        assert_ne!(answer.status, StatusCode::BAD_REQUEST, "{odd}");
        assert_eq!(inner.seen().pop().unwrap().body, odd);
    }
    // What stands behind such a name is judged all the same.
    let before = inner.seen().len();
    for trick in [
        r#"{"jsonrpc":"2.0","id":1,"method":"echo","\ud800":0,"\u006dethod":"initialize"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"echo","\ud800":0,"result":{}}"#,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"a\nb\":0}",
    ] {
        let answer = session.client.send(Method::POST, trick).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{trick}");
    }
    assert_eq!(inner.seen().len(), before);
    let opened = r#"{"\ud800":0,"jsonrpc":"2.0","id":0,"\u006dethod":"initialize","params":{"\ud800":0,"protocolVersion":"2025-11-25","clientInfo":{"name":"odd","\ud800":0}}}"#;
    session.client.send(Method::POST, opened).await;
    assert_eq!(
        inner.seen().pop().unwrap().header("mcp-session-id"),
        None,
        "an initialize is one however it is written"
    );
}

async fn an_encoded_body_is_415_and_read_by_nobody(backend: Backend) {
    let (inner, replica, session) = open(backend, "2025-11-25").await;
    let (call, opening) = (request(1, "echo", json!({})), initialize("2025-11-25"));
    let word = notification("notifications/cancelled");
    for (client, message, status) in
        [(&session.client, &call, 200), (&Client::of(&replica), &opening, 200), (&session.client, &word, 202)]
    {
        for plain in ["identity", "Identity", "", "identity, identity"] {
            let answer = client.with("content-encoding", plain).post(message).await;
            assert_eq!(answer.status, status, "{plain:?}");
        }
        let before = inner.seen().len();
        for coding in ["gzip", "GZIP", "x-gzip", "br", "zstd", "deflate", "identity, gzip", "aes128gcm", "nonsense"] {
            let answer = client.with("content-encoding", coding).send(Method::POST, &b"\x1f\x8b\x08\0..."[..]).await;
            let answer = answer.whole().await;
            assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{coding}");
            assert_eq!(answer.headers["accept-encoding"], "identity");
            let error = &answer.json()["error"];
            assert!(
                error["code"].is_i64() && error["message"].as_str().unwrap().contains("Content-Encoding"),
                "{error}"
            );
        }
        assert_eq!(inner.seen().len(), before);
    }
    let modern = Client::of(&replica).with("mcp-protocol-version", "2026-07-28").with("content-encoding", "gzip");
    modern.send(Method::POST, &b"\x1f\x8b\x08"[..]).await;
    let seen = inner.seen().pop().unwrap();
    assert_eq!((seen.header("content-encoding"), &seen.body[..]), (Some("gzip"), &b"\x1f\x8b\x08"[..]), "as it is");
}

async fn the_inner_service_sees_the_very_bytes_that_were_judged(backend: Backend) {
    let (inner, _replica, session) = open(backend, "2025-11-25").await;
    let odd = " {\"method\" : \"echo\",\t\"params\":{\"b\":1.0e2,\"a\":\"\\u00e9\\/\",\"deep\":[[[[]]]]},\r\n\"id\":\"x\\ny\" } ";
    let answer = session.client.send(Method::POST, odd).await.whole().await;
    assert_eq!(inner.last("echo").body, odd);
    assert_eq!(answer.json()["id"], "x\ny");
    let deep = format!(r#"{{"id":1,"method":"echo","params":{}{}}}"#, "[".repeat(100), "]".repeat(100));
    session.client.send(Method::POST, deep.clone()).await.whole().await;
    assert_eq!(inner.last("echo").body, deep, "depth is the inner service's to judge, within reason");
}

async fn batches_are_for_2025_03_26_alone_and_bounded(backend: Backend) {
    for version in LEGACY {
        let (inner, _replica, session) = open(backend, version).await;
        let before = inner.seen().len();
        let batch = json!([notification("notifications/progress"), notification("notifications/progress")]);
        let answer = session.client.post(&batch).await.whole().await;
        if version == "2025-03-26" {
            assert_eq!(answer.status, StatusCode::ACCEPTED);
            let seen: Vec<_> = inner.seen().split_off(before).into_iter().map(|seen| seen.body).collect();
            assert_eq!(seen, [batch[0].to_string(), batch[1].to_string()], "one by one");
        } else {
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{version}");
            assert_eq!(inner.seen().len(), before);
        }
        let before = inner.seen().len();
        let long = Value::Array(vec![notification("notifications/progress"); 10_000]);
        let with_initialize = json!([request(1, "echo", json!({})), initialize(version)]);
        let with_modern = json!([crate::harness::raw::modern("echo")]);
        for refused in [long, with_initialize, with_modern, json!([]), json!([[]]), json!([1])] {
            let answer = session.client.post(&refused).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{version}");
        }
        assert_eq!(inner.seen().len(), before);
    }
}

const LIMIT: usize = 10_000;

/// A message of exactly `length` bytes.
fn padded(mut message: Value, length: usize) -> String {
    message["params"]["padding"] = "".into();
    let missing = length - message.to_string().len();
    message["params"]["padding"] = "x".repeat(missing).into();
    message.to_string()
}

async fn a_body_over_the_limit_is_413_however_it_is_sent(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::start(layer(&store).body_limit(LIMIT).build().layer(inner.clone())).await;
    let session = Client::of(&replica).open("2025-11-25").await;
    let legacy = (session.client.clone(), request(1, "echo", json!({})));
    let modern = (Client::of(&replica).with("mcp-protocol-version", "2026-07-28"), crate::harness::raw::modern("echo"));
    let modern_by_body = (Client::of(&replica), crate::harness::raw::modern("echo"));
    for (client, message) in [legacy, modern, modern_by_body] {
        let before = inner.asked("echo");
        let fits = padded(message.clone(), LIMIT);
        assert_eq!(client.send(Method::POST, fits.clone()).await.status, StatusCode::OK);
        assert_eq!(chunked(&client, &fits).await, "200");
        let too_long = padded(message, LIMIT + 1);
        let answer = client.send(Method::POST, too_long.clone()).await.whole().await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(answer.json()["error"]["code"].is_i64());
        assert_eq!(chunked(&client, &too_long).await, "413");
        assert_eq!(inner.asked("echo"), before + 2, "what is too long has no effect");
    }
    assert!(session.works().await);
}

/// Plain HTTP clients send the whole of a request before they read a byte, and give up if they cannot.
async fn a_client_that_sends_too_much_before_it_reads_gets_its_answer(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::start(layer(&store).body_limit(LIMIT).build().layer(inner.clone())).await;
    let session = Client::of(&replica).open("2025-11-25").await;
    let too_long = padded(request(1, "echo", json!({})), 1 << 20);
    let compressed = session.client.with("content-encoding", "gzip");
    for (client, status) in [(&session.client, "413"), (&Client::of(&replica), "413"), (&compressed, "415")] {
        for chunked in [false, true] {
            let framing =
                if chunked { "transfer-encoding: chunked".into() } else { format!("content-length: {}", 1 << 20) };
            let mut socket = client.dial().await;
            let head = client.head("POST").replace("connection: close\r\n", "");
            socket.write_all(format!("{head}{framing}\r\n\r\n").as_bytes()).await.unwrap();
            let sent = if chunked { format!("{:x}\r\n{too_long}\r\n0\r\n\r\n", 1 << 20) } else { too_long.clone() };
            socket.write_all(sent.as_bytes()).await.expect("it is read to its end");
            // The connection is as good as before.
            socket.write_all(format!("{}\r\n", client.head("PUT")).as_bytes()).await.expect("it is still open");
            let mut answers = String::new();
            soon("the end of the connection", socket.read_to_string(&mut answers)).await.expect("nothing is reset");
            let statuses: Vec<_> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
            assert_eq!(statuses, [status, "405"], "{answers}");
        }
    }
    // One that asks first is told without sending anything.
    let asking = session.client.with("expect", "100-continue");
    let told = asking.bytes(format!("{}content-length: {}\r\n\r\n", asking.head("POST"), 1 << 20).as_bytes()).await;
    assert!(told.starts_with("HTTP/1.1 413"), "{told}");
    assert!(session.works().await);
}

/// Sends a body in chunks and returns the status.
async fn chunked(client: &Client, body: &str) -> String {
    let mut request = format!("{}transfer-encoding: chunked\r\n\r\n", client.head("POST"));
    for chunk in body.as_bytes().chunks(1000) {
        request.push_str(&format!("{:x}\r\n{}\r\n", chunk.len(), std::str::from_utf8(chunk).unwrap()));
    }
    request.push_str("0\r\n\r\n");
    let answer = client.bytes(request.as_bytes()).await;
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

async fn a_handshake_too_long_to_keep_is_413(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::start(layer(&store).handshake_limit(LIMIT).build().layer(inner.clone())).await;
    let client = Client::of(&replica);
    let fits = client.send(Method::POST, padded(initialize("2025-11-25"), LIMIT)).await;
    assert_eq!(fits.status, StatusCode::OK);
    let answer = client.send(Method::POST, padded(initialize("2025-11-25"), LIMIT + 1)).await.whole().await;
    assert_eq!((answer.status, answer.session_id()), (StatusCode::PAYLOAD_TOO_LARGE, None));
    assert_eq!((store.counts().await, inner.sessions()), ((1, 0), 1));
}

/// An inner service that cannot read its request may well give up with an error of its own.
async fn an_inner_service_that_fails_over_a_long_body_does_not_hide_the_413(backend: Backend) {
    use http_body_util::BodyExt;
    let store = backend.store().await;
    let reading = tower::service_fn(async |request: http::Request<tower_mcp_sessions::body::RequestBody>| {
        let body = request.into_body().collect().await.map_err(|error| error.to_string())?;
        Ok::<_, String>(http::Response::new(http_body_util::Full::new(body.to_bytes())))
    });
    let service = layer(&store).body_limit(LIMIT).build().layer(reading);
    let body = axum::body::Body::from_stream(futures::stream::iter(
        (0..20).map(|_| Ok::<_, std::convert::Infallible>(bytes::Bytes::from(vec![b' '; 1000]))),
    ));
    let request = http::Request::post("/mcp").header("host", "localhost").header("mcp-protocol-version", "2026-07-28");
    let answer = service.oneshot(request.body(body).unwrap()).await.expect("an answer, not the inner service's error");
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

async fn a_body_that_breaks_off_reaches_nobody(backend: Backend) {
    let (inner, replica, session) = open(backend, "2025-11-25").await;
    let before = inner.seen().len();
    let body = request(1, "echo", json!({})).to_string();
    for client in [&session.client, &Client::of(&replica)] {
        for (framing, sent) in [
            (format!("content-length: {}\r\n\r\n", body.len() + 100), body.clone()),
            ("transfer-encoding: chunked\r\n\r\n".to_owned(), format!("{:x}\r\n{body}\r\n", body.len())),
        ] {
            let mut socket = client.dial().await;
            socket.write_all(format!("{}{framing}{sent}", client.head("POST")).as_bytes()).await.unwrap();
            drop(socket);
        }
    }
    assert!(session.works().await);
    eventually("only the last call arrived", async || inner.seen().len() == before + 1).await;
}
