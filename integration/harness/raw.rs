//! HTTP as the tests speak it: every byte of a request is the test's own, and every byte of an answer is seen.

mod answer;
mod messages;
mod session;

use std::borrow::Cow;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

pub(crate) use self::answer::{Answer, Event, Events, Whole};
pub(crate) use self::messages::{initialize, modern, notification, request};
pub(crate) use self::session::Session;
use super::eventually::soon;
pub(crate) use super::headers::*;
use super::replica::Replica;

/// The revisions with sessions.
pub(crate) const LEGACY: [&str; 3] = ["2025-03-26", "2025-06-18", "2025-11-25"];

/// A client of one replica: an address, a path, and the headers it always sends.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    path: Cow<'static, str>,
    headers: HeaderMap,
}

impl Client {
    pub(crate) fn of(replica: &Replica) -> Self {
        Self::to(replica.address)
    }

    /// A client of the server at this address.
    pub(crate) fn to(address: SocketAddr) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::HOST, HeaderValue::from_str(&address.to_string()).unwrap());
        Self { address, path: "/mcp".into(), headers }
    }

    /// The same client, sending one more header, or another value of one.
    pub(crate) fn with(&self, name: impl TryInto<HeaderName>, value: &str) -> Self {
        let mut client = self.clone();
        let name = name.try_into().unwrap_or_else(|_| panic!("a header name"));
        client.headers.insert(name, HeaderValue::from_str(value).unwrap());
        client
    }

    /// The same with any bytes that a header may hold.
    pub(crate) fn with_bytes(&self, name: &'static str, value: &[u8]) -> Self {
        let mut client = self.clone();
        client.headers.insert(name, HeaderValue::from_bytes(value).expect("a header's value"));
        client
    }

    pub(crate) fn without(&self, name: impl Into<HeaderName>) -> Self {
        let mut client = self.clone();
        client.headers.remove(name.into());
        client
    }

    /// The same client asking for another path than `/mcp`.
    pub(crate) fn at_path(&self, path: impl Into<Cow<'static, str>>) -> Self {
        Self { path: path.into(), ..self.clone() }
    }

    /// The same client talking to another replica.
    pub(crate) fn at(&self, replica: &Replica) -> Self {
        self.at_address(replica.address)
    }

    /// The same client talking to the server at this address.
    pub(crate) fn at_address(&self, address: SocketAddr) -> Self {
        Self { address, ..self.clone() }.with(header::HOST, &address.to_string())
    }

    /// One request on a connection of its own.
    pub(crate) async fn send(&self, method: Method, body: impl Into<Bytes>) -> Answer {
        self.connect().await.send(method, body).await
    }

    pub(crate) async fn post(&self, body: &Value) -> Answer {
        self.send(Method::POST, body.to_string()).await
    }

    pub(crate) async fn get(&self) -> Answer {
        self.send(Method::GET, "").await
    }

    pub(crate) async fn delete(&self) -> Answer {
        self.send(Method::DELETE, "").await
    }

    /// Posts a message over a network that may fail; `None` if no whole answer comes.
    pub(crate) async fn attempt(&self, body: &Value) -> Option<Whole> {
        let client = self.with(header::CONNECTION, "close");
        let exchange = async {
            let mut connection = client.begin(TcpStream::connect(client.address).await.ok()?).await;
            let (parts, body) = connection.try_answer(Method::POST, body.to_string()).await.ok()?.into_parts();
            let body = body.collect().await.ok()?.to_bytes();
            Some(Whole { status: parts.status, headers: parts.headers, body })
        };
        soon("an answer, or the end of the connection", exchange).await
    }

    /// Calls a method and returns the whole answer.
    pub(crate) async fn call(&self, method: &str, params: Value) -> Whole {
        self.post(&request(1, method, params)).await.whole().await
    }

    /// Opens a session in a revision; the client it returns uses the session.
    pub(crate) async fn open(&self, version: &str) -> Session {
        let answer = self.post(&initialize(version)).await.whole().await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let id = answer.session_id().expect("an accepted initialize carries a session id");
        let client = self.with(SESSION_ID, &id).with(VERSION, version);
        let confirmed = client.post(&notification("notifications/initialized")).await;
        assert_eq!(confirmed.status, StatusCode::ACCEPTED);
        Session { id, client }
    }

    /// A connection that stays open for many requests.
    pub(crate) async fn connect(&self) -> Connection {
        self.begin(self.dial().await).await
    }

    async fn begin(&self, socket: TcpStream) -> Connection {
        let (sender, connection) = http1::handshake(TokioIo::new(socket)).await.expect("HTTP begins");
        let mut task = JoinSet::new();
        task.spawn(async move {
            let _ = connection.await;
        });
        Connection { sender, path: self.path.clone(), headers: self.headers.clone(), task }
    }

    /// Raw bytes out, raw bytes back, until the server closes the connection.
    pub(crate) async fn bytes(&self, request: &[u8]) -> String {
        let mut socket = self.dial().await;
        let mut answer = Vec::new();
        // A server that refuses early may close before it has read everything.
        let _ = socket.write_all(request).await;
        soon("the server closes the connection", async {
            let _ = socket.read_to_end(&mut answer).await;
        })
        .await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Whether the streamed answer to a message breaks off instead of ending.
    pub(crate) async fn sees_break(&self, message: &Value) -> bool {
        let message = message.to_string();
        let request = format!("{}content-length: {}\r\n\r\n{message}", self.head("POST"), message.len());
        !self.bytes(request.as_bytes()).await.ends_with("\r\n0\r\n\r\n")
    }

    /// A bare TCP connection.
    pub(crate) async fn dial(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("the replica listens")
    }

    /// A request's head with this client's headers, to be sent as bytes; the caller adds the blank line.
    pub(crate) fn head(&self, method: &str) -> String {
        let mut head = format!("{method} {} HTTP/1.1\r\nconnection: close\r\n", self.path);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
        }
        head
    }
}

/// One connection, used for one request after the other.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    path: Cow<'static, str>,
    headers: HeaderMap,
    task: JoinSet<()>,
}

impl Connection {
    pub(crate) async fn send(mut self, method: Method, body: impl Into<Bytes>) -> Answer {
        let head = soon("the head of an answer", self.answer(method, body)).await;
        let (parts, body) = head.into_parts();
        Answer { status: parts.status, headers: parts.headers, body, _connection: self.task }
    }

    /// Sends a request and reads its answer to the end; the connection can then be used again.
    pub(crate) async fn exchange(&mut self, method: Method, body: impl Into<Bytes>) -> Whole {
        let (parts, body) = self.answer(method, body).await.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Whole { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) fn set(&mut self, name: HeaderName, value: &str) {
        self.headers.insert(name, HeaderValue::from_str(value).unwrap());
    }

    pub(crate) fn unset(&mut self, name: &HeaderName) {
        self.headers.remove(name);
    }

    async fn answer(&mut self, method: Method, body: impl Into<Bytes>) -> http::Response<Incoming> {
        self.try_answer(method, body).await.expect("an answer")
    }

    async fn try_answer(&mut self, method: Method, body: impl Into<Bytes>) -> hyper::Result<http::Response<Incoming>> {
        let mut request = Request::new(Full::new(body.into()));
        *request.method_mut() = method;
        *request.uri_mut() = self.path.parse().unwrap();
        *request.headers_mut() = self.headers.clone();
        self.sender.ready().await?;
        self.sender.send_request(request).await
    }
}
