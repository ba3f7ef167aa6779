//! A viewer of the live feed, over its WebSocket: protocol `mcp-sessions.v1`.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use http::{HeaderValue, header};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_websockets::{ClientBuilder, MaybeTlsStream, Message, WebSocketStream};

use super::Monitor;
use crate::client::Failure;

/// How long the feed may take to let somebody in.
const WELCOME: Duration = Duration::from_secs(15);

/// An event of the feed.
#[derive(Clone, Debug)]
pub struct Told {
    pub kind: String,
    pub session: String,
}

/// Somebody who watches.
pub struct Viewer {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    cursor: String,
    bytes: u64,
}

impl Viewer {
    /// Begins to watch the sessions of clients of one name, or all; returns once what was there before is read.
    pub async fn begin(monitor: &Monitor, client: Option<&str>) -> Result<Self, Failure> {
        let beginning = async {
            let socket = connect(monitor).await?;
            let mut viewer = Self { socket, cursor: String::new(), bytes: 0 };
            viewer.say(&json!({"t": "hello", "filter": {"client": client}})).await?;
            loop {
                let update = viewer.update().await?;
                if update["more"] != true {
                    return Ok(viewer);
                }
            }
        };
        timeout(WELCOME, beginning).await.unwrap_or(Err(Failure::Timeout))
    }

    /// What happened next; counts alone are nothing.
    pub async fn next(&mut self) -> Result<Vec<Told>, Failure> {
        let before = std::mem::take(&mut self.cursor);
        let mut update = self.update().await?;
        if update["mode"] != "delta" || update["from"] != before.as_str() {
            return Err(Failure::NotSeen("the feed began anew: something was lost in between".to_owned()));
        }
        let told = |event: &Value| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            Told { kind: text(&event["type"]), session: text(&event["session"]["session_id"]) }
        };
        let events = update["events"].take();
        Ok(events.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(told).collect())
    }

    /// Bytes of all frames so far, both ways.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    async fn update(&mut self) -> Result<Value, Failure> {
        loop {
            let frame = self.socket.next().await.ok_or_else(|| closed("without a word"))?;
            let message = frame.map_err(|error| Failure::Broken(error.to_string()))?;
            self.bytes += framed(message.as_payload().len());
            if let Some((code, reason)) = message.as_close() {
                return Err(closed(&format!("with code {}: {reason}", u16::from(code))));
            }
            let Some(text) = message.as_text() else { continue };
            let said: Value =
                serde_json::from_str(text).map_err(|_| Failure::NotMcp("a frame is not JSON".to_owned()))?;
            match said["t"].as_str() {
                Some("update") => {
                    self.cursor = said["to"].as_str().unwrap_or_default().to_owned();
                    return Ok(said);
                }
                Some("ping") => self.say(&json!({"t": "pong"})).await?,
                _ => {}
            }
        }
    }

    async fn say(&mut self, frame: &Value) -> Result<(), Failure> {
        let text = frame.to_string();
        // A client's frames carry a mask of four bytes.
        self.bytes += framed(text.len()) + 4;
        self.socket.send(Message::text(text)).await.map_err(|error| Failure::Broken(error.to_string()))
    }
}

async fn connect(monitor: &Monitor) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, Failure> {
    let url = monitor.mount.replacen("http://", "ws://", 1) + "/ws/sessions";
    let failed = |error: tokio_websockets::Error| Failure::Connect(error.to_string());
    let mut builder = ClientBuilder::new().uri(&url).map_err(|error| Failure::Connect(error.to_string()))?;
    if let Some(token) = &monitor.token {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| Failure::Connect("the monitor's token is no header".to_owned()))?;
        bearer.set_sensitive(true);
        builder = builder.add_header(header::AUTHORIZATION, bearer).map_err(failed)?;
    }
    let (socket, _) = builder.connect().await.map_err(failed)?;
    Ok(socket)
}

fn closed(how: &str) -> Failure {
    Failure::Broken(format!("the feed closed {how}"))
}

/// A frame is its payload and a header.
const fn framed(payload: usize) -> u64 {
    let header = match payload {
        0..126 => 2,
        126..65_536 => 4,
        _ => 10,
    };
    payload as u64 + header
}
