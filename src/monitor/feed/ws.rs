//! `GET /ws/sessions`: the feed over a WebSocket, protocol `mcp-sessions.v1`.
//!
//! A socket is one task that reads, writes and waits. It holds no queue of its own: what its viewer has not taken waits in the
//! hub, once for all, and a viewer that is [`QUEUE`] bytes behind is closed.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep, sleep_until, timeout};
use tokio_websockets::{CloseCode, Config, Limits, Message, Payload, ServerBuilder, WebSocketStream};

use super::Watching;
use super::cursor::Cursor;
use super::filter::Filter;
use super::frame::{Asked, Bye, Said};
use super::viewer::Viewer;
use crate::body::ResponseBody;
use crate::monitor::answer::Refusal;
use crate::telemetry::metrics::Present;

/// The protocol's name.
const PROTOCOL: &str = "mcp-sessions.v1";
/// Longest frame from a viewer.
const LONGEST: usize = 64 << 10;
/// Bytes a viewer may be behind.
const QUEUE: u64 = 1 << 20;
/// How often a write that takes its time is looked at.
const STALLED: Duration = Duration::from_millis(250);
/// How long saying goodbye may take.
const FAREWELL: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Upgrades a request to a WebSocket.
pub(crate) fn respond(mut watching: Watching) -> Result<Response<ResponseBody>, Refusal> {
    let accept = accept_key(&watching.parts)?;
    let upgrade = watching.parts.extensions.remove::<OnUpgrade>().ok_or_else(Refusal::no_upgrade)?;
    let seat = watching.be_seated()?;
    let speaks = watching.parts.headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().any(offers);
    let tracker = watching.hub.engine.drain.viewers.clone();
    tracker.spawn(async move {
        let _seat = seat;
        if let Ok(upgraded) = upgrade.await {
            let config = Config::default().flush_threshold(usize::MAX);
            let limits = Limits::default().max_payload_len(Some(LONGEST));
            let io = TokioIo::new(upgraded);
            let socket = ServerBuilder::new().config(config).limits(limits).serve(io);
            Connection { watching, socket }.run().await;
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
        parts.method == Method::GET
            && says(header::UPGRADE, "websocket")
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
    /// A frame or a message is too long.
    TooLong,
    /// The viewer has left, or broke the protocol of WebSockets, to which the library has an answer ready.
    Left,
}

struct Connection {
    watching: Watching,
    socket: Socket,
}

impl Connection {
    async fn run(mut self) {
        let Err(end) = self.serve().await;
        // Whoever has left misses nothing.
        let _ = timeout(FAREWELL, self.part(end)).await;
    }

    /// Says the last words, and waits until they have arrived: what we had not read would make TCP drop them.
    async fn part(mut self, end: End) -> Result<(), tokio_websockets::Error> {
        match end {
            End::Bye(bye) => {
                let (code, reason, retry_ms) = (bye.code(), bye.reason(), bye.retry_ms());
                tracing::debug!(code, reason, "a viewer's socket is closed");
                let close = CloseCode::try_from(code).expect("a code of ours is in the private range");
                self.socket.feed(text(&Said::Bye { code, reason, retry_ms })).await?;
                self.socket.feed(Message::close(Some(close), reason)).await?;
            }
            // The library has said so already, unless it was a message of several frames.
            End::TooLong => {
                let _ = self.socket.feed(Message::close(Some(CloseCode::MESSAGE_TOO_BIG), "")).await;
            }
            End::Left => {}
        }
        self.socket.flush().await?;
        while let Some(Ok(_)) = self.socket.next().await {}
        let mut io = self.socket.into_inner();
        io.shutdown().await?;
        let mut unread = [0; 4096];
        while io.read(&mut unread).await? > 0 {}
        Ok(())
    }

    async fn serve(&mut self) -> Result<Infallible, End> {
        let leave = self.watching.hub.engine.drain.listens_end.clone();
        let (cursor, filter) = tokio::select! {
            biased;
            () = leave.cancelled() => return Err(End::Bye(Bye::Leaving)),
            greeted = self.greet() => greeted?,
        };
        let filter = filter.seen_by(self.watching.role);
        let viewer = Viewer::begin(Arc::clone(&self.watching.hub), cursor, filter).await;
        let mut viewer = viewer.map_err(|_| End::Bye(Bye::StoreAway))?;
        let _present = Present::viewer("websocket");
        let pace = self.watching.pace;
        let (mut pings, mut rechecks) = (every(pace.ping), every(pace.recheck));
        let mut pong_due: Option<Instant> = None;
        loop {
            let due = pong_due.unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                () = leave.cancelled() => return Err(End::Bye(Bye::Leaving)),
                () = sleep_until(due), if pong_due.is_some() => return Err(End::Bye(Bye::Silent)),
                message = self.socket.next() => match read(message)? {
                    Asked::Pong => pong_due = None,
                    Asked::Filter { filter } => viewer.set_filter(filter.seen_by(self.watching.role)),
                    Asked::Hello { .. } | Asked::Unknown => {}
                },
                _ = rechecks.tick() => {
                    self.recheck().await?;
                    viewer.set_role(self.watching.role);
                }
                _ = pings.tick() => {
                    pong_due.get_or_insert_with(|| Instant::now() + pace.pong);
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
        let hello = timeout(self.watching.pace.hello, hello).await;
        let (cursor, token, filter) = hello.map_err(|_| End::Bye(Bye::NoHello))??;
        if let Some(token) = token {
            self.show(&token).await;
        }
        if self.watching.role.is_none() {
            return Err(End::Bye(Bye::Denied));
        }
        let replica = Arc::clone(&self.watching.hub.engine.config.replica);
        let ping_ms = crate::session::millis(self.watching.pace.ping);
        self.send(text(&Said::Welcome { v: 1, replica: &replica, ping_ms, resume: true }), None).await?;
        let parsed = cursor.as_deref().and_then(Cursor::parse);
        if cursor.is_some() && parsed.is_none() {
            self.send(text(&Said::Error { message: "The cursor is not one of this feed's; here is a snapshot" }), None)
                .await?;
        }
        Ok((parsed, filter))
    }

    /// A token in hello counts as if it had come with the request, unless that one was the better one.
    async fn show(&mut self, token: &str) {
        let Ok(mut bearer) = HeaderValue::from_str(&format!("Bearer {token}")) else { return };
        bearer.set_sensitive(true);
        let before = self.watching.parts.headers.insert(header::AUTHORIZATION, bearer);
        let role = self.watching.ask_again().await;
        if role >= self.watching.role {
            self.watching.role = role;
        } else {
            let headers = &mut self.watching.parts.headers;
            match before {
                Some(before) => headers.insert(header::AUTHORIZATION, before),
                None => headers.remove(header::AUTHORIZATION),
            };
        }
    }

    async fn recheck(&mut self) -> Result<(), End> {
        self.watching.role = self.watching.ask_again().await;
        match self.watching.role {
            Some(_) => Ok(()),
            None => Err(End::Bye(Bye::Expired)),
        }
    }

    /// Sends a frame, for as long as the viewer keeps up.
    async fn send(&mut self, message: Message, viewer: Option<&Viewer>) -> Result<(), End> {
        let pace = self.watching.pace;
        let mut sending = std::pin::pin!(self.socket.send(message));
        let begun = Instant::now();
        loop {
            tokio::select! {
                biased;
                sent = &mut sending => return sent.map_err(|_| End::Left),
                () = sleep(STALLED) => {
                    let is_behind = viewer.is_some_and(|viewer| viewer.behind() > QUEUE);
                    if is_behind || begun.elapsed() > pace.ping + pace.pong {
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
        Some(Err(tokio_websockets::Error::PayloadTooLong { .. })) => Err(End::TooLong),
        Some(Err(_)) | None => Err(End::Left),
    }
}

/// From now on, and not at once.
fn every(period: Duration) -> Interval {
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn text(said: &Said<'_>) -> Message {
    let json = serde_json::to_vec(said).expect("a frame is plain data");
    Message::text(Payload::from(Bytes::from(json)))
}
