//! `GET /ws/sessions`: the feed over a WebSocket, protocol `mcp-sessions.v1`.
//!
//! A socket is one task that reads, writes and waits. It holds no queue of its own: what its viewer has not taken waits in the
//! hub, once for all, and a viewer that is [`QUEUE`] bytes behind is closed.

use std::sync::Arc;
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tokio_websockets::{CloseCode, Config, Limits, Message, Payload, ServerBuilder, WebSocketStream};

use super::cursor::Cursor;
use super::filter::Filter;
use super::frame::{Asked, Bye, Said};
use super::hub::Hub;
use super::viewer::Viewer;
use crate::body::ResponseBody;
use crate::monitor::access::{Access, Role};
use crate::monitor::answer::Refusal;
use crate::telemetry::metrics::Present;

/// The protocol's name.
const PROTOCOL: &str = "mcp-sessions.v1";
/// Longest frame from a viewer.
const LONGEST: usize = 64 << 10;
/// Bytes a viewer may be behind.
const QUEUE: u64 = 1 << 20;
/// How long a viewer may take to say hello.
const HELLO: Duration = Duration::from_secs(10);
/// How often a viewer is asked whether it is there, and how long it may take to answer.
const PING: Duration = Duration::from_secs(25);
const PONG: Duration = Duration::from_secs(10);
/// How often a socket's access is looked at again.
const RECHECK: Duration = Duration::from_secs(60);
/// How often a write that takes its time is looked at.
const STALLED: Duration = Duration::from_millis(250);
/// How long saying goodbye may take.
const FAREWELL: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Upgrades a request to a WebSocket.
pub(crate) fn respond(
    hub: Arc<Hub>,
    access: Access,
    role: Option<Role>,
    mut parts: Parts,
) -> Result<Response<ResponseBody>, Refusal> {
    let accept = accept_key(&parts)?;
    let upgrade = parts.extensions.remove::<OnUpgrade>().ok_or_else(Refusal::no_upgrade)?;
    if hub.engine.drain.is_draining() {
        return Err(crate::rejection::Rejection::ShuttingDown.into());
    }
    let speaks = parts.headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().any(offers);
    let tracker = hub.engine.drain.viewers.clone();
    tracker.spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            let config = Config::default().flush_threshold(usize::MAX);
            let limits = Limits::default().max_payload_len(Some(LONGEST));
            let io = TokioIo::new(upgraded);
            let socket = ServerBuilder::new().config(config).limits(limits).serve(io);
            Connection { hub, access, role, parts, socket }.run().await;
        }
    });
    let mut response = Response::new(ResponseBody::whole(""));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if speaks {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    }
    Ok(response)
}

fn offers(value: &HeaderValue) -> bool {
    value.to_str().is_ok_and(|list| list.split(',').any(|name| name.trim() == PROTOCOL))
}

/// What proves that we speak WebSocket (RFC 6455, section 4.2.2).
fn accept_key(parts: &Parts) -> Result<HeaderValue, Refusal> {
    let says = |name, word: &str| {
        let values = parts.headers.get_all(name).iter();
        let mut words = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        words.any(|found| found.trim().eq_ignore_ascii_case(word))
    };
    let key = parts.headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| {
        says(header::UPGRADE, "websocket")
            && says(header::CONNECTION, "upgrade")
            && says(header::SEC_WEBSOCKET_VERSION, "13")
    });
    let key = key.ok_or_else(Refusal::no_upgrade)?;
    let mut digest = sha1_smol::Sha1::from(key.as_bytes());
    digest.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = STANDARD.encode(digest.digest().bytes());
    Ok(HeaderValue::from_str(&accept).expect("base64 is visible ASCII"))
}

/// How a connection ends.
enum End {
    /// We say why.
    Bye(Bye),
    /// The viewer has left, or broke the protocol of WebSockets.
    Left,
}

struct Connection {
    hub: Arc<Hub>,
    access: Access,
    role: Option<Role>,
    /// The request that was upgraded: what access is judged by.
    parts: Parts,
    socket: Socket,
}

impl Connection {
    async fn run(mut self) {
        if let Err(End::Bye(bye)) = self.serve().await {
            let _ = timeout(FAREWELL, self.say_goodbye(bye)).await;
        }
    }

    async fn say_goodbye(&mut self, bye: Bye) {
        let (code, reason, retry_ms) = (bye.code(), bye.reason(), bye.retry_ms());
        let code_of = CloseCode::try_from(code).expect("a code of ours is in the private range");
        // Whoever has left misses nothing.
        let _ = self.socket.feed(text(&Said::Bye { code, reason, retry_ms })).await;
        let _ = self.socket.send(Message::close(Some(code_of), reason)).await;
        while let Some(Ok(_)) = self.socket.next().await {}
    }

    async fn serve(&mut self) -> Result<(), End> {
        let (cursor, filter) = self.greet().await?;
        let viewer = Viewer::begin(Arc::clone(&self.hub), cursor, filter).await;
        let mut viewer = viewer.map_err(|_| End::Bye(Bye::StoreAway))?;
        let _present = Present::viewer("websocket");
        let leave = self.hub.engine.drain.listens_end.clone();
        let mut pings = interval(PING);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pings.reset();
        let mut rechecks = interval(RECHECK);
        rechecks.reset();
        let mut pong_due: Option<Instant> = None;
        loop {
            let due = pong_due.unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                () = leave.cancelled() => return Err(End::Bye(Bye::Leaving)),
                () = sleep_until(due), if pong_due.is_some() => return Err(End::Bye(Bye::Silent)),
                message = self.socket.next() => match read(message)? {
                    Asked::Pong => pong_due = None,
                    Asked::Filter { filter } => viewer.set_filter(filter),
                    Asked::Hello { .. } | Asked::Unknown => {}
                },
                _ = rechecks.tick() => self.recheck().await?,
                _ = pings.tick() => {
                    pong_due.get_or_insert_with(|| Instant::now() + PONG);
                    self.send(text(&Said::Ping), Some(&viewer)).await?;
                }
                update = viewer.next() => {
                    let update = update.map_err(|_| End::Bye(Bye::StoreAway))?;
                    let json = Payload::from(update.json().clone());
                    self.send(Message::text(json), Some(&viewer)).await?;
                }
            }
        }
    }

    /// Waits for hello, and lets nobody in without access.
    async fn greet(&mut self) -> Result<(Option<Cursor>, Filter), End> {
        let hello = async {
            loop {
                match read(self.socket.next().await)? {
                    Asked::Hello { cursor, token, filter } => return Ok((cursor, token, filter)),
                    Asked::Pong | Asked::Unknown => {}
                    Asked::Filter { .. } => return Err(End::Bye(Bye::NoHello)),
                }
            }
        };
        let (cursor, token, filter) = timeout(HELLO, hello).await.map_err(|_| End::Bye(Bye::NoHello))??;
        if let Some(token) = token
            && let Ok(mut bearer) = HeaderValue::from_str(&format!("Bearer {token}"))
        {
            bearer.set_sensitive(true);
            self.parts.headers.insert(header::AUTHORIZATION, bearer);
            self.role = self.access.role_of(&self.parts, &self.hub.engine.config).await.max(self.role);
        }
        if self.role.is_none() {
            return Err(End::Bye(Bye::Denied));
        }
        let replica = Arc::clone(&self.hub.engine.config.replica);
        let ping_ms = crate::session::millis(PING);
        self.send(text(&Said::Welcome { v: 1, replica: &replica, ping_ms, resume: true }), None).await?;
        let parsed = cursor.as_deref().and_then(Cursor::parse);
        if cursor.is_some() && parsed.is_none() {
            self.send(text(&Said::Error { message: "The cursor is not one of this feed's; here is a snapshot" }), None)
                .await?;
        }
        Ok((parsed, filter))
    }

    async fn recheck(&mut self) -> Result<(), End> {
        match self.access.role_of(&self.parts, &self.hub.engine.config).await {
            Some(_) => Ok(()),
            None => Err(End::Bye(Bye::Expired)),
        }
    }

    /// Sends a frame, for as long as the viewer keeps up.
    async fn send(&mut self, message: Message, viewer: Option<&Viewer>) -> Result<(), End> {
        let mut sending = std::pin::pin!(self.socket.send(message));
        let begun = Instant::now();
        loop {
            tokio::select! {
                biased;
                sent = &mut sending => return sent.map_err(|_| End::Left),
                () = sleep(STALLED) => {
                    let is_behind = viewer.is_some_and(|viewer| viewer.behind() > QUEUE);
                    if is_behind || begun.elapsed() > PING + PONG {
                        return Err(End::Bye(Bye::Slow));
                    }
                }
            }
        }
    }
}

/// What a viewer says. Its own pings and close frames are answered by the library.
fn read(message: Option<Result<Message, tokio_websockets::Error>>) -> Result<Asked, End> {
    match message {
        Some(Ok(message)) if message.is_text() => {
            serde_json::from_str(message.as_text().unwrap_or_default()).map_err(|_| End::Bye(Bye::BadFrame))
        }
        Some(Ok(message)) if message.is_binary() => Err(End::Bye(Bye::BadFrame)),
        Some(Ok(message)) if message.is_close() => Err(End::Left),
        Some(Ok(_)) => Ok(Asked::Unknown),
        Some(Err(_)) | None => Err(End::Left),
    }
}

fn text(said: &Said<'_>) -> Message {
    let json = serde_json::to_vec(said).expect("a frame is plain data");
    Message::text(Payload::from(Bytes::from(json)))
}
