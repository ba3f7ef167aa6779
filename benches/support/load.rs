//! Keep-alive connections that each call as fast as they are answered, all on one thread and core.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

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

pub struct Clients {
    runtime: tokio::runtime::Runtime,
    connections: Vec<Mutex<Connection>>,
}

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    session: Option<HeaderValue>,
}

impl Clients {
    pub fn connect(server: SocketAddr, connections: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        super::pin(false);
        let connections = runtime.block_on(join_all((0..connections).map(|_| Connection::open(server))));
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
    async fn open(server: SocketAddr) -> Self {
        let stream = tokio::net::TcpStream::connect(server).await.expect("the server listens");
        stream.set_nodelay(true).expect("TCP");
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
        tokio::spawn(connection);
        let mut connection = Self { sender, session: None };
        let answer = connection.post(INITIALIZE).await;
        connection.session = answer.headers().get("mcp-session-id").cloned();
        answer.into_body().collect().await.expect("a whole answer");
        let answer = connection.post(INITIALIZED).await;
        answer.into_body().collect().await.expect("a whole answer");
        connection
    }

    async fn call_until(&mut self, until: Instant) -> usize {
        let mut answered = 0;
        while Instant::now() < until {
            let answer = self.post(CALL).await;
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
            .header("mcp-protocol-version", "2025-11-25");
        if let Some(session) = &self.session {
            request = request.header("mcp-session-id", session);
        }
        self.sender.ready().await.expect("the connection lives");
        self.sender.send_request(request.body(Full::from(body)).expect("a request")).await.expect("an answer")
    }
}
