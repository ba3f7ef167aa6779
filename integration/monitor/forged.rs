//! Numbers that nobody gave out, as large as they can be written, wherever a viewer or a client can put one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{StatusCode, header};
use serde_json::json;

use super::socket::Socket;
use super::{api, open_trio};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::raw::{LAST_EVENT_ID, SESSION_ID};

on_every_backend! {
    cursors_with_forged_numbers_are_answered,
    numbers_in_queries_and_heads_are_answered,
}

/// Where integers of every width end, and where floating-point ones lose count.
const NUMBERS: [&str; 9] = [
    "0",
    "1",
    "2147483647",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
];

/// Cursors of the feed that have `number` in one place each: at the log's end, and in the middle of a snapshot.
fn forged(epoch: &str, key: &str, number: &str) -> Vec<String> {
    let texts = [
        format!("{epoch}:{number}:0"),
        format!("{epoch}:1:{number}"),
        format!("{epoch}:{number}:{number}"),
        format!("{epoch}:1:1/{number}:0:1:5:{key}"),
        format!("{epoch}:1:1/{number}:0:2:{number}:{key}"),
        format!("{epoch}:1:1/1:{number}:1"),
        format!("{epoch}:1:1/1:{number}:2:{number}:{key}"),
        format!("{epoch}:1:1/19:{number}:2:{number}:{key}"),
    ];
    texts.map(|text| URL_SAFE_NO_PAD.encode(text)).into()
}

async fn cursors_with_forged_numbers_are_answered(backend: Backend) {
    let trio = open_trio(backend).await;
    let session = trio.open().await;
    let poll = async |cursor: &str| {
        let answer = api(&trio.replicas[0], &format!("/events?cursor={cursor}")).get().await.whole().await;
        assert_eq!(answer.status, StatusCode::OK, "{cursor}: {}", answer.text());
        answer.json()
    };
    let given = poll("").await["to"].as_str().expect("a cursor").to_owned();
    let given = String::from_utf8(URL_SAFE_NO_PAD.decode(given).expect("base64")).expect("text");
    let epoch = given.split(':').next().expect("an epoch");
    for number in NUMBERS {
        for cursor in forged(epoch, session.key(), number) {
            // It may lead through pages, but to an end.
            let mut update = poll(&cursor).await;
            for _ in 0..50 {
                if update["more"] != true {
                    break;
                }
                update = poll(update["to"].as_str().expect("a cursor")).await;
            }
            assert_ne!(update["more"], true, "{cursor} never ends");
            let mut socket = Socket::resume(&trio.replicas[1], &cursor).await;
            while socket.next().await["t"] != "update" {}
            let client = trio.client().at(&trio.replicas[2]).with(LAST_EVENT_ID, &cursor).at_path("/sse/sessions");
            assert!(client.get().await.events().next().await.is_some(), "{cursor}");
        }
    }
}

async fn numbers_in_queries_and_heads_are_answered(backend: Backend) {
    let trio = open_trio(backend).await;
    let session = trio.open().await;
    for number in NUMBERS {
        for query in [format!("limit={number}"), format!("cursor={number}:{}", session.key())] {
            let answer = api(&trio.replicas[0], &format!("?{query}")).get().await;
            assert!(matches!(answer.status.as_u16(), 200 | 400), "{query}: {}", answer.status);
        }
        let key = session.key();
        for id in [
            format!("listen.{key}.{number}.0"),
            format!("listen.{key}.1.{number}"),
            format!("AAAAAAAA-{number}.{number}"),
        ] {
            let client = trio.client().with(SESSION_ID, &session.id).with(LAST_EVENT_ID, &id);
            let status = client.with(header::ACCEPT, "text/event-stream").get().await.status;
            assert!(matches!(status.as_u16(), 200 | 400 | 409), "{id}: {status}");
        }
        let call = json!({ "_meta": { "progressToken": number.parse::<f64>().unwrap() } });
        assert!(session.call("echo", call).await.status.is_success(), "{number}");
        let message =
            format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{number}}}}}"#);
        let told = session.client.send(http::Method::POST, message).await.status;
        assert!(told.is_success(), "{number}: {told}");
        let answer = format!(r#"{{"jsonrpc":"2.0","id":"shared.{number}.MA","result":{{}}}}"#);
        assert_eq!(session.client.send(http::Method::POST, answer).await.status, StatusCode::BAD_REQUEST, "{number}");
        let forwarded = session.client.with("x-forwarded-for", &format!("127.0.0.1:{number}"));
        assert!(forwarded.call("echo", json!({})).await.status.is_success());
    }
    assert!(session.works().await);
}
