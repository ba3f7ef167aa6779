//! An upstream played by the test itself, byte by byte: it reads a request, says what it likes, and hangs up.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::eventually::soon;
use crate::harness::process::Process;
use crate::harness::wire::Wire;

/// An event stream begins, and ends with the connection's last chunk. The connection carries this answer alone.
pub(super) const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";

/// Where the gateway finds the test.
pub(super) struct ByHand {
    listener: TcpListener,
}

impl ByHand {
    pub(super) async fn listen() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.expect("a free port") }
    }

    pub(super) fn mcp(&self) -> String {
        format!("http://{}/mcp", self.address())
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("a bound listener")
    }

    /// The next request, read until it contains `wanted`.
    pub(super) async fn asked(&self, wanted: &str) -> Asked {
        let (socket, _) = soon(wanted, self.listener.accept()).await.expect("a connection");
        let mut asked = Asked { socket, read: String::new() };
        asked.read_until(wanted).await;
        asked
    }

    /// Opens a client's session at the gateway, playing a server that accepts it.
    pub(super) async fn open(&self, gateway: &Process) -> Wire {
        let url = gateway.mcp();
        let (wire, ()) = tokio::join!(Wire::open(&url), async {
            let server = json!({"name": "by hand", "version": "1"});
            let result = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": server});
            let head = "HTTP/1.1 200 OK\r\nmcp-session-id: by-hand";
            self.asked("\"initialize\"")
                .await
                .answer(head, &json!({"jsonrpc": "2.0", "id": 0, "result": result}))
                .await;
            let accepted = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            self.asked("notifications/initialized").await.say(accepted).await;
        });
        wire
    }

    /// Plays a good call, to show that the session lives on.
    pub(super) async fn serve_a_call(&self, wire: &Wire) {
        let (said, ()) = tokio::join!(wire.say("echo", json!({})), async {
            let result = json!({"content": [{"type": "text", "text": "still here"}]});
            let asked = self.asked("\"echo\"").await;
            asked.answer("HTTP/1.1 200 OK", &json!({"jsonrpc": "2.0", "id": "echo", "result": result})).await;
        });
        assert_eq!(said, "still here");
    }
}

/// A request that waits for what the test will say. Dropping it cuts the connection.
pub(super) struct Asked {
    socket: TcpStream,
    read: String,
}

impl Asked {
    /// What of the request has come so far.
    pub(super) fn read(&self) -> &str {
        &self.read
    }

    /// Reads on until the request contains `wanted`.
    pub(super) async fn read_until(&mut self, wanted: &str) {
        let mut buffer = vec![0; 4096];
        while !self.read.contains(wanted) {
            let read = soon(wanted, self.socket.read(&mut buffer)).await.expect("the request goes on");
            assert_ne!(read, 0, "the request ended before {wanted:?}: {}", self.read);
            self.read.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    }

    /// Says these bytes.
    pub(super) async fn say(&mut self, bytes: &str) {
        self.socket.write_all(bytes.as_bytes()).await.expect("the gateway listens");
    }

    /// Says one chunk of a stream.
    pub(super) async fn say_chunk(&mut self, chunk: &str) {
        assert!(self.is_heard(chunk).await, "the gateway has hung up");
    }

    /// Says one chunk of a stream, unless the gateway has hung up.
    pub(super) async fn is_heard(&mut self, chunk: &str) -> bool {
        self.socket.write_all(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes()).await.is_ok()
    }

    /// Says one whole JSON body after this head, and hangs up.
    pub(super) async fn answer(mut self, head: &str, message: &Value) {
        let body = message.to_string();
        let head = format!("{head}\r\ncontent-type: application/json\r\nconnection: close");
        self.say(&format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())).await;
    }

    /// Waits until the gateway hangs up.
    pub(super) async fn hears_it_hang_up(mut self) {
        let mut buffer = [0; 64];
        // It ends, or is reset.
        soon("the gateway hangs up", async { while let Ok(1..) = self.socket.read(&mut buffer).await {} }).await;
    }
}
