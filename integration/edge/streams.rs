//! Event streams on their way out: what a revision does not know is kept from its clients.

use http::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tower::Layer;
use tower_mcp_sessions::Resumable;

use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::inner::Scripted;
use crate::harness::raw::{Client, LEGACY, request};
use crate::harness::replica::{Replica, layer};

on_every_backend! {
    priming_events_reach_only_clients_that_know_them,
    an_answer_that_is_there_at_once_is_plain_json_if_the_client_takes_it,
    a_message_on_a_get_is_not_for_the_inner_service,
    every_stream_asks_proxies_to_pass_it_on_at_once,
    the_layer_listens_for_an_inner_service_that_does_not,
}

async fn priming_events_reach_only_clients_that_know_them(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::start(layer(&store).resumable(Resumable::All).build().layer(inner.clone())).await;
    for version in LEGACY {
        let session = Client::of(&replica).open(version).await;
        let answer = session.client.post(&request(1, "primed", json!({}))).await;
        assert!(!answer.headers.contains_key("content-length"), "it may get shorter or longer");
        let mut events = answer.events();
        if version == "2025-11-25" {
            let priming = events.next_raw().await.unwrap();
            assert!(priming.starts_with("id: ") && priming.ends_with(".0\nretry: 1000\ndata:\n\n"), "{priming:?}");
        }
        let message = events.next_raw().await.unwrap();
        assert!(message.starts_with("id: ") && message.contains(".1\ndata: {"), "{version}: {message:?}");
        assert_eq!(events.next_raw().await, None);
    }
}

async fn an_answer_that_is_there_at_once_is_plain_json_if_the_client_takes_it(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    for version in LEGACY {
        let session = Client::of(&replica).open(version).await;
        let plain = session.client.post(&request(1, "primed", json!({}))).await;
        assert_eq!(plain.headers["content-type"], "application/json", "{version}");
        assert_eq!(plain.whole().await.json()["id"], 1);
        let streams_only = session.client.with("accept", "text/event-stream");
        let stream = streams_only.post(&request(2, "primed", json!({}))).await;
        assert_eq!(stream.headers["content-type"], "text/event-stream", "{version}");
        assert_eq!(stream.events().rest().await.last().unwrap()["id"], 2);
    }
}

async fn every_stream_asks_proxies_to_pass_it_on_at_once(backend: Backend) {
    for resumable in [Resumable::All, Resumable::Streams, Resumable::ListenOnly, Resumable::Nothing] {
        for (inner, listens) in [
            (Scripted::with_sessions(), true),
            (Scripted::with_sessions(), false),
            (Scripted::without_sessions(), true),
        ] {
            inner.script(|script| script.listens = listens);
            let store = backend.store().await;
            let replica = Replica::start(layer(&store).resumable(resumable).build().layer(inner.clone())).await;
            let session = Client::of(&replica).open("2025-03-26").await;
            let (call, also) = (request(1, "stream", json!({})), request(2, "stream", json!({})));
            let literal = json!({ "headers": { "content-type": "text/event-stream", "x-accel-buffering": "yes" },
                "body": "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n", "open": true });
            let streams_alone = session.client.with("accept", "text/event-stream");
            for answer in [
                session.client.get().await,
                session.client.post(&call).await,
                session.client.post(&json!([call, also])).await,
                streams_alone.post(&request(1, "literal", literal)).await,
            ] {
                assert_eq!(answer.headers["content-type"], "text/event-stream", "{resumable:?}");
                let told: Vec<_> = answer.headers.get_all("x-accel-buffering").iter().collect();
                assert_eq!(told, ["no"], "{resumable:?}");
            }
        }
    }
}

/// A body on a GET means nothing; the inner service must not be promised one that is not sent.
async fn a_message_on_a_get_is_not_for_the_inner_service(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let replica = Replica::of(&store, &inner).await;
    for framing in ["content-length: 2\r\n\r\n{}", "transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"] {
        let session = Client::of(&replica).open("2025-11-25").await;
        let before = inner.seen().len();
        let mut socket = session.client.dial().await;
        socket.write_all(format!("{}{framing}", session.client.head("GET")).as_bytes()).await.unwrap();
        eventually("the GET arrives", async || inner.seen().len() == before + 1).await;
        let seen = inner.seen().pop().unwrap();
        assert_eq!((seen.http_method.clone(), seen.body.len()), (Method::GET, 0));
        assert!(matches!(seen.header("content-length"), None | Some("0")), "{:?}", seen.headers);
        assert_eq!(seen.header("transfer-encoding"), None);
    }
}

async fn the_layer_listens_for_an_inner_service_that_does_not(backend: Backend) {
    for inner in [Scripted::with_sessions(), Scripted::without_sessions()] {
        inner.script(|script| script.listens = false);
        let replica = Replica::of(&backend.store().await, &inner).await;
        let session = Client::of(&replica).open("2025-03-26").await;
        let mut listening = session.listen().await;
        assert_eq!(listening.next_raw().await.unwrap(), ":\n\n");
        session.delete().await;
        assert_eq!(listening.rest().await.len(), 0, "it ends with its session");
    }
}
