//! Keep-alive connections that each call as fast as they are answered, all on one thread and core.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use futures::future::join_all;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::sync::Mutex;

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"0"}}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
const CALL: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2}}}"#;

/// A request of the revision without sessions, complete as it demands.
const MODERN: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"bench","version":"0"}}}}"#;

/// Which revision is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Era {
    /// 2025-11-25: each connection has a session.
    Legacy,
    /// 2026-07-28: requests pass through.
    Modern,
}

impl Era {
    const fn revision(self) -> &'static str {
        match self {
            Self::Legacy => "2025-11-25",
            Self::Modern => "2026-07-28",
        }
    }

    const fn call(self) -> &'static str {
        match self {
            Self::Legacy => CALL,
            Self::Modern => MODERN,
        }
    }
}

pub struct Clients {
    runtime: tokio::runtime::Runtime,
    connections: Vec<Mutex<Connection>>,
}

struct Connection {
    era: Era,
    sender: SendRequest<Full<Bytes>>,
    session: Option<HeaderValue>,
}

impl Clients {
    pub fn connect(server: SocketAddr, connections: usize, era: Era) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        super::pin(false);
        let connections = runtime.block_on(join_all((0..connections).map(|_| Connection::open(server, era))));
        Self { runtime, connections: connections.into_iter().map(Mutex::new).collect() }
    }

    /// Calls for a while; returns how many calls were answered.
    pub fn run(&self, time: Duration) -> usize {
        super::pin(false);
        let until = Instant::now() + time;
        let calls =
            self.connections.iter().map(|connection| async move { connection.lock().await.call_until(until).await });
        self.runtime.block_on(join_all(calls)).into_iter().sum()
    }
}

impl Connection {
    async fn open(server: SocketAddr, era: Era) -> Self {
        let stream = tokio::net::TcpStream::connect(server).await.expect("the server listens");
        stream.set_nodelay(true).expect("TCP");
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
        tokio::spawn(connection);
        let mut connection = Self { era, sender, session: None };
        if era == Era::Legacy {
            connection.shake_hands().await;
        }
        connection
    }

    async fn shake_hands(&mut self) {
        let answer = self.post(INITIALIZE).await;
        self.session = answer.headers().get("mcp-session-id").cloned();
        answer.into_body().collect().await.expect("a whole answer");
        let answer = self.post(INITIALIZED).await;
        answer.into_body().collect().await.expect("a whole answer");
    }

    async fn call_until(&mut self, until: Instant) -> usize {
        let mut answered = 0;
        while Instant::now() < until {
            let answer = self.post(self.era.call()).await;
            assert_eq!(answer.status(), 200);
            answer.into_body().collect().await.expect("a whole answer");
            answered += 1;
        }
        answered
    }

    async fn post(&mut self, body: &'static str) -> Response<Incoming> {
        let mut request = Request::post("/mcp")
            .header("host", "127.0.0.1")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", self.era.revision());
        if self.era == Era::Modern {
            request = request.header("mcp-method", "tools/call").header("mcp-name", "add");
        }
        if let Some(session) = &self.session {
            request = request.header("mcp-session-id", session);
        }
        self.sender.ready().await.expect("the connection lives");
        self.sender.send_request(request.body(Full::from(body)).expect("a request")).await.expect("an answer")
    }
}
