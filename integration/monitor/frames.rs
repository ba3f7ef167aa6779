//! What a WebSocket may carry: frames in whatever pieces, and what breaks the protocol is answered with its code.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tower_mcp_sessions::monitor::{Access, MonitorBuilder, Role};

use super::socket::{Socket, types};
use super::{open_trio, trio};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::soon;
use crate::harness::login::everybody_as;
use crate::harness::raw::Client;

on_every_backend! {
    frames_in_pieces_and_unknown_ones_are_taken,
    what_is_no_message_of_the_protocol_ends_the_socket,
    what_breaks_the_protocol_below_is_answered_with_its_code,
    pings_of_the_transport_are_answered,
    whoever_answers_pings_stays_and_whoever_is_silent_goes,
    whoever_may_no_longer_look_is_sent_away,
    nothing_but_pings_is_sent_while_nothing_happens,
}

/// The longest frame that is read.
const LONGEST: usize = 64 << 10;

fn piece(text: &str, code: OpCode, is_last: bool) -> Message {
    Message::Frame(Frame::message(text.as_bytes().to_vec(), code, is_last))
}

async fn frames_in_pieces_and_unknown_ones_are_taken(backend: Backend) {
    let trio = open_trio(backend).await;
    let mut socket = Socket::to(&trio.replicas[0]).await;
    socket.say(&json!({ "t": "of a later version", "more": [1, 2] })).await;
    socket.send(piece(r#"{"t":"he"#, OpCode::Data(Data::Text), false)).await;
    socket.send(Message::Ping(vec![1].into())).await;
    socket.send(piece(r#"llo","unknown":{"#, OpCode::Data(Data::Continue), false)).await;
    socket.send(piece("}}", OpCode::Data(Data::Continue), true)).await;
    assert_eq!(socket.next().await["t"], "welcome");
    assert_eq!(socket.update().await["mode"], "snapshot");
    let filler = "x".repeat(LONGEST - 100);
    socket.say(&json!({ "t": "later", "filler": filler })).await;
    socket.say(&json!({ "t": "hello" })).await;
    trio.open().await;
    assert_eq!(types(&socket.happening().await), ["session_created"]);
}

async fn what_is_no_message_of_the_protocol_ends_the_socket(backend: Backend) {
    let trio = open_trio(backend).await;
    let wrong = [
        Message::Binary(b"{\"t\":\"pong\"}".to_vec().into()),
        Message::text("hello"),
        Message::text("[]"),
        Message::text("{}"),
        Message::text(r#"{"t":1}"#),
        Message::text(""),
    ];
    for message in wrong {
        let mut socket = Socket::hello(&trio.replicas[0]).await;
        socket.send(message.clone()).await;
        let (frames, code) = socket.rest().await;
        assert_eq!(code, Some(4500), "{message:?}");
        let bye = frames.last().unwrap();
        assert_eq!((&bye["t"], bye.get("retry_ms")), (&json!("bye"), None), "{bye}");
        let mut socket = Socket::to(&trio.replicas[0]).await;
        socket.send(message.clone()).await;
        assert_eq!(socket.end().await, Some(4500), "before hello: {message:?}");
    }
}

async fn what_breaks_the_protocol_below_is_answered_with_its_code(backend: Backend) {
    let trio = open_trio(backend).await;
    let long = "x".repeat(LONGEST + 1);
    let half = "x".repeat(LONGEST / 2 + 1);
    let cases: [(&str, Vec<Message>, u16); 6] = [
        ("a long frame", vec![Message::text(long.clone())], 1009),
        ("a very long frame", vec![Message::text(long.repeat(50))], 1009),
        (
            "a long message in pieces",
            vec![piece(&half, OpCode::Data(Data::Text), false), piece(&half, OpCode::Data(Data::Continue), true)],
            1009,
        ),
        ("no UTF-8", vec![Message::Frame(Frame::message(vec![0xc3, 0x28], OpCode::Data(Data::Text), true))], 1007),
        ("a piece of nothing", vec![piece("x", OpCode::Data(Data::Continue), true)], 1002),
        ("a reserved opcode", vec![piece("x", OpCode::Data(Data::Reserved(5)), true)], 1002),
    ];
    for (what, messages, expected) in cases {
        let mut socket = Socket::hello(&trio.replicas[0]).await;
        for message in messages {
            socket.send(message).await;
        }
        assert_eq!(socket.end().await, Some(expected), "{what}");
    }
    // A frame of a client that is not masked.
    let mut socket = Socket::hello(&trio.replicas[0]).await;
    socket.raw().write_all(b"\x81\x0c{\"t\":\"pong\"}").await.unwrap();
    assert_eq!(socket.end().await, Some(1002));
    // A client that says goodbye is answered.
    let mut socket = Socket::hello(&trio.replicas[0]).await;
    socket.send(Message::Close(None)).await;
    let (_, code) = socket.rest().await;
    assert_eq!(code, None);
}

async fn pings_of_the_transport_are_answered(backend: Backend) {
    let trio = open_trio(backend).await;
    let mut socket = Socket::hello(&trio.replicas[0]).await;
    socket.send(Message::Ping(b"are you there?".to_vec().into())).await;
    let payload = soon("a pong", socket.pong()).await;
    assert_eq!(payload, b"are you there?");
}

async fn whoever_answers_pings_stays_and_whoever_is_silent_goes(backend: Backend) {
    let (ping, pong) = (Duration::from_millis(200), Duration::from_millis(600));
    let options = |m: MonitorBuilder| m.ping_every(ping).pong_within(pong);
    let trio = trio(backend, |m| options(m.access(everybody_as(Role::View)))).await;
    let mut there = Socket::to(&trio.replicas[0]).await;
    let welcome = there.greet(json!({ "t": "hello" })).await;
    assert_eq!(welcome["ping_ms"], 200);
    let mut silent = Socket::hello(&trio.replicas[0]).await;
    // Whatever else it says is no answer.
    silent.say(&json!({ "t": "filter" })).await;
    let silent = tokio::spawn(silent.rest());
    let mut pings = 0;
    while pings < 8 {
        if there.next().await["t"] == "ping" {
            pings += 1;
            there.say(&json!({ "t": "pong" })).await;
        }
    }
    let (frames, code) = silent.await.unwrap();
    assert_eq!(code, Some(4002));
    let bye = frames.last().unwrap();
    assert_eq!((&bye["t"], &bye["code"]), (&json!("bye"), &json!(4002)));
    assert!(bye["retry_ms"].is_u64(), "{bye}");
}

async fn whoever_may_no_longer_look_is_sent_away(backend: Backend) {
    let may_look = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&may_look);
    let access = Access::from_fn(move |_| asked.load(Ordering::SeqCst).then_some(Role::View));
    let trio = trio(backend, |m| m.access(access.clone()).recheck_every(Duration::from_millis(100))).await;
    let mut socket = Socket::hello(&trio.replicas[0]).await;
    let mut events = Client::of(&trio.replicas[0]).at_path("/sse/sessions").get().await.events();
    for _ in 0..3 {
        trio.open().await;
        socket.happening().await;
        events.next().await.expect("the stream goes on");
    }
    may_look.store(false, Ordering::SeqCst);
    let (frames, code) = socket.rest().await;
    assert_eq!(code, Some(4502));
    assert_eq!(frames.last().unwrap().get("retry_ms"), None);
    events.rest().await;
}

async fn nothing_but_pings_is_sent_while_nothing_happens(backend: Backend) {
    let ping = Duration::from_millis(500);
    let trio = trio(backend, |m| m.access(everybody_as(Role::View)).ping_every(ping)).await;
    let mut socket = Socket::hello(&trio.replicas[0]).await;
    assert_eq!(socket.update().await["mode"], "snapshot");
    let mut pings = 0;
    // Longer than the hub leaves between two looks at the store.
    while pings < 13 {
        let frame = socket.next().await;
        match frame["t"].as_str() {
            Some("ping") => {
                pings += 1;
                socket.say(&json!({ "t": "pong" })).await;
            }
            _ => panic!("{frame}"),
        }
    }
}
