//! What passes, both ways, unchanged and at once.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::join;
use wiremock::ResponseTemplate;

use super::by_hand::{ByHand, STREAM};
use super::gateway;
use super::upstream::Upstream;
use crate::harness::eventually::throughout;
use crate::harness::raw::{Client, VERSION, modern};
use crate::harness::wire::{Wire, answer_in, read_until};

const STEP: &str =
    "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"data\":\"step\"}}\n\n";

#[tokio::test]
async fn a_request_looks_as_if_it_were_sent_to_the_upstream_itself() {
    let upstream = ByHand::listen().await;
    let gateway = gateway(&format!("{}?key=1", upstream.mcp()), &[]).await;
    let client = Client::to(gateway.address())
        .with(VERSION, "2026-07-28")
        .with("authorization", "Bearer token")
        .with("mcp-param-region", "north")
        .with("connection", "x-hop")
        .with("x-hop", "1")
        .with("keep-alive", "timeout=5")
        .with("proxy-authorization", "Basic secret")
        .with("te", "trailers")
        .with("expect", "100-continue");
    let body = modern("tools/list").to_string();
    let head = client.head("POST").replace("/mcp ", "/mcp?user=2 ");
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());

    let (_, asked) = join!(client.bytes(request.as_bytes()), async { upstream.asked(&body).await.read().to_owned() });

    let (head, seen) = asked.split_once("\r\n\r\n").expect("a head");
    assert_eq!(seen, body);
    let mut lines: Vec<_> = head.lines().collect();
    lines.sort_unstable();
    let (host, length) = (format!("host: {}", upstream.address()), format!("content-length: {}", body.len()));
    let expected = [
        "POST /mcp?key=1&user=2 HTTP/1.1",
        "accept: application/json, text/event-stream",
        "authorization: Bearer token",
        &length,
        "content-type: application/json",
        &host,
        "mcp-param-region: north",
        "mcp-protocol-version: 2026-07-28",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn of_an_answer_only_what_concerns_the_connection_stays_behind() {
    let upstream = ByHand::listen().await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let client = Client::to(gateway.address()).with(VERSION, "2026-07-28");

    let message = modern("tools/list");
    let (answer, ()) = join!(client.post(&message), async {
        let head = "HTTP/1.1 418 I'm a teapot\r\nx-kept: yes\r\nset-cookie: a=1\r\nset-cookie: b=2\r\nx-hop: 1\r\n\
                    keep-alive: timeout=5\r\nproxy-authenticate: Basic\r\nconnection: x-hop";
        upstream.asked("tools/list").await.answer(head, &json!({"short": "and stout"})).await;
    });

    let whole = answer.whole().await;
    assert_eq!((whole.status.as_u16(), whole.json()), (418, json!({"short": "and stout"})));
    assert_eq!(whole.headers["x-kept"], "yes");
    assert_eq!(whole.headers.get_all("set-cookie").iter().collect::<Vec<_>>(), ["a=1", "b=2"]);
    for name in ["x-hop", "keep-alive", "proxy-authenticate", "connection"] {
        assert_eq!(whole.headers.get(name), None, "{name}");
    }
}

#[tokio::test]
async fn events_arrive_one_by_one_as_they_are_sent() {
    let upstream = ByHand::listen().await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let wire = upstream.open(&gateway).await;

    let (mut response, mut asked) = join!(wire.call_begun("work", json!({}), None), async {
        let mut asked = upstream.asked("\"work\"").await;
        asked.say(STREAM).await;
        asked.say_chunk(STEP).await;
        asked
    });
    // The upstream says nothing more until the client has this.
    read_until(&mut response, "step").await;
    asked.say_chunk("data: {\"jsonrpc\":\"2.0\",\"id\":\"work\",\"result\":{\"done\":true}}\n\n").await;
    asked.say("0\r\n\r\n").await;

    let rest = response.text().await.expect("the stream ends, and does not break");
    assert_eq!(answer_in(&rest)["result"], json!({"done": true}));
}

#[tokio::test]
async fn a_modern_request_reaches_the_upstream_while_it_is_still_being_sent() {
    let upstream = ByHand::listen().await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let client = Client::to(gateway.address()).with(VERSION, "2026-07-28");
    let body = modern("tools/list").to_string();
    let (first, second) = body.split_at(20);

    let mut socket = client.dial().await;
    let head = format!("{}content-length: {}\r\n\r\n", client.head("POST"), body.len());
    socket.write_all(format!("{head}{first}").as_bytes()).await.expect("the gateway listens");
    // The client says nothing more until the upstream has this.
    let mut asked = upstream.asked(first).await;
    socket.write_all(second.as_bytes()).await.expect("the gateway listens");

    asked.read_until(&body).await;
}

#[tokio::test]
async fn long_answers_pass_whole() {
    let upstream = Upstream::start().await;
    let long = "x".repeat(8 << 20);
    let body = json!({"jsonrpc": "2.0", "id": "read", "result": {"content": [{"type": "text", "text": long}]}});
    upstream.on_call("read", ResponseTemplate::new(200).set_body_json(&body)).await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let wire = Wire::open(&gateway.mcp()).await;

    assert!(wire.say("read", json!({})).await == long, "the text is another one");
}

#[tokio::test]
async fn a_modern_client_that_leaves_is_gone_for_the_upstream_too() {
    let upstream = ByHand::listen().await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let client = Client::to(gateway.address()).with(VERSION, "2026-07-28");

    let message = modern("subscriptions/listen");
    let (answer, asked) = join!(client.post(&message), async {
        let mut asked = upstream.asked("subscriptions/listen").await;
        asked.say(STREAM).await;
        asked.say_chunk(STEP).await;
        asked
    });
    let mut events = answer.events();
    assert_eq!(events.next().await.expect("an event")["params"]["data"], "step");
    drop(events);

    asked.hears_it_hang_up().await;
}

#[tokio::test]
async fn a_modern_client_that_leaves_before_the_answer_is_gone_for_the_upstream_too() {
    let upstream = ByHand::listen().await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let client = Client::to(gateway.address()).with(VERSION, "2026-07-28");
    let body = modern("tools/list").to_string();

    let mut socket = client.dial().await;
    let head = format!("{}content-length: {}\r\n\r\n", client.head("POST"), body.len());
    socket.write_all(format!("{head}{body}").as_bytes()).await.expect("the gateway listens");
    let asked = upstream.asked(&body).await;
    drop(socket);

    asked.hears_it_hang_up().await;
}

#[tokio::test]
async fn a_call_of_a_session_goes_on_at_the_upstream_when_its_client_leaves() {
    let upstream = ByHand::listen().await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let wire = upstream.open(&gateway).await;

    let (mut response, mut asked) = join!(wire.call_begun("work", json!({}), None), async {
        let mut asked = upstream.asked("\"work\"").await;
        asked.say(STREAM).await;
        asked.say_chunk(STEP).await;
        asked
    });
    read_until(&mut response, "step").await;
    drop(response);

    throughout(Duration::from_millis(300), "the gateway listens", async || asked.is_heard(STEP).await).await;
    drop(asked);
    upstream.serve_a_call(&wire).await;
}

#[tokio::test]
async fn a_listening_stream_passes_and_one_that_is_refused_is_a_quiet_one() {
    let upstream = ByHand::listen().await;
    let gateway = gateway(&upstream.mcp(), &[]).await;
    let wire = upstream.open(&gateway).await;

    let (mut response, _asked) = join!(wire.listen(), async {
        let mut asked = upstream.asked("GET /mcp HTTP/1.1").await;
        asked.read_until("mcp-session-id: by-hand").await;
        asked.say(STREAM).await;
        asked.say_chunk(STEP).await;
        asked
    });
    read_until(&mut response, "step").await;
    drop(response);

    let wire = upstream.open(&gateway).await;
    let refused = "HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let (mut response, ()) = join!(wire.listen(), async { upstream.asked("GET /mcp").await.say(refused).await });
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    read_until(&mut response, ":").await;
}
