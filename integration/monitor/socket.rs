//! The feed's WebSocket, spoken with a client of another library.

use std::net::SocketAddr;

use futures::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, Response};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::harness::eventually::soon;
use crate::harness::replica::Replica;

pub(super) const PROTOCOL: &str = "mcp-sessions.v1";

/// A viewer's end of a WebSocket.
pub(super) struct Socket {
    stream: WebSocketStream<TcpStream>,
    /// What the server answered to the upgrade.
    pub(super) headers: HeaderMap,
}

/// Where and how a viewer knocks.
pub(super) struct Knock {
    address: SocketAddr,
    path: &'static str,
    headers: HeaderMap,
}

/// How a socket ended: the code of the close frame, or none.
pub(super) type Code = Option<u16>;

impl Knock {
    pub(super) fn at(replica: &Replica) -> Self {
        Self::to(replica.address)
    }

    pub(super) fn to(address: SocketAddr) -> Self {
        Self { address, path: "/ws/sessions", headers: HeaderMap::new() }
    }

    pub(super) fn path(self, path: &'static str) -> Self {
        Self { path, ..self }
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, HeaderValue::from_str(value).unwrap());
        self
    }

    /// Upgrades; otherwise what the server said instead.
    pub(super) async fn open(self) -> Result<Socket, Response<Option<Vec<u8>>>> {
        let stream = TcpStream::connect(self.address).await.expect("the replica listens");
        self.open_over(stream).await
    }

    pub(super) async fn open_over(self, stream: TcpStream) -> Result<Socket, Response<Option<Vec<u8>>>> {
        let mut request = format!("ws://{}{}", self.address, self.path).into_client_request().unwrap();
        request.headers_mut().extend(self.headers);
        match soon("the answer to an upgrade", tokio_tungstenite::client_async(request, stream)).await {
            Ok((stream, response)) => Ok(Socket { stream, headers: response.into_parts().0.headers }),
            Err(Error::Http(response)) => Err(*response),
            Err(error) => panic!("{error}"),
        }
    }
}

impl Socket {
    /// Upgrades, with nothing said yet.
    pub(super) async fn to(replica: &Replica) -> Self {
        Knock::at(replica).open().await.unwrap_or_else(|refused| panic!("{refused:?}"))
    }

    /// Upgrades and says hello; the frame that comes next is the first update.
    pub(super) async fn hello(replica: &Replica) -> Self {
        let mut socket = Self::to(replica).await;
        socket.greet(json!({ "t": "hello" })).await;
        socket
    }

    /// Comes back with a cursor.
    pub(super) async fn resume(replica: &Replica, cursor: &str) -> Self {
        let mut socket = Self::to(replica).await;
        socket.greet(json!({ "t": "hello", "cursor": cursor })).await;
        socket
    }

    /// Says hello, and returns the welcome.
    pub(super) async fn greet(&mut self, hello: Value) -> Value {
        self.say(&hello).await;
        let welcome = self.next().await;
        assert_eq!(welcome["t"], "welcome", "{welcome}");
        welcome
    }

    pub(super) async fn say(&mut self, said: &Value) {
        self.send(Message::text(said.to_string())).await;
    }

    pub(super) async fn send(&mut self, message: Message) {
        self.stream.send(message).await.expect("the socket is open");
    }

    /// Bytes as they are, without a frame around them.
    pub(super) fn raw(&mut self) -> &mut TcpStream {
        self.stream.get_mut()
    }

    /// The next frame that is JSON.
    pub(super) async fn next(&mut self) -> Value {
        let next = self.next_or_end().await;
        next.unwrap_or_else(|code| panic!("the socket was closed with {code:?}"))
    }

    /// The next frame that is JSON, or how the socket ended.
    pub(super) async fn next_or_end(&mut self) -> Result<Value, Code> {
        soon("another frame, or the end", self.read()).await
    }

    /// The same, without a limit on how long it may take.
    pub(super) async fn read(&mut self) -> Result<Value, Code> {
        let text = self.read_text().await?;
        Ok(serde_json::from_str(&text).expect("JSON in a frame"))
    }

    /// The next frame as it came, or how the socket ended.
    pub(super) async fn read_text(&mut self) -> Result<Utf8Bytes, Code> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// What the next pong of the transport carries.
    pub(super) async fn pong(&mut self) -> Vec<u8> {
        loop {
            match self.stream.next().await.expect("the socket is open").expect("a frame") {
                Message::Pong(payload) => return payload.to_vec(),
                Message::Text(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next update.
    pub(super) async fn update(&mut self) -> Value {
        loop {
            let frame = self.next().await;
            if frame["t"] == "update" {
                return frame;
            }
        }
    }

    /// The next update that has an event of the log.
    pub(super) async fn happening(&mut self) -> Value {
        loop {
            let update = self.update().await;
            let events = update["events"].as_array().expect("events");
            if update["mode"] == "delta" && events.iter().any(|event| event["type"] != "session_updated") {
                return update;
            }
        }
    }

    /// The frames up to the end, and how it ended.
    pub(super) async fn rest(mut self) -> (Vec<Value>, Code) {
        let mut frames = Vec::new();
        loop {
            match self.next_or_end().await {
                Ok(frame) => frames.push(frame),
                Err(code) => return (frames, code),
            }
        }
    }

    /// How it ends, whatever comes before.
    pub(super) async fn end(self) -> Code {
        self.rest().await.1
    }
}

/// The types of an update's events, in order.
pub(super) fn types(update: &Value) -> Vec<&str> {
    let events = update["events"].as_array().expect("events");
    events.iter().map(|event| event["type"].as_str().expect("a type")).collect()
}
