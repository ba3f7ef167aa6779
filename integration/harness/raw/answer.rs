//! Answers, to the last byte: their beginning, the whole of one, or its events one by one.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::task::JoinSet;

use super::{RECONNECT_TOKEN, SESSION_ID};
use crate::harness::eventually::soon;

/// The beginning of an answer. Dropping it cuts the connection.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(super) body: Incoming,
    pub(super) _connection: JoinSet<()>,
}

impl Answer {
    pub(crate) async fn whole(self) -> Whole {
        let body = soon("the end of an answer", self.body.collect()).await.expect("a whole body").to_bytes();
        Whole { status: self.status, headers: self.headers, body }
    }

    pub(crate) fn events(self) -> Events {
        assert_eq!(self.status, StatusCode::OK);
        assert_eq!(self.headers[header::CONTENT_TYPE], "text/event-stream");
        Events { answer: self, pending: BytesMut::new() }
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Whole {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Whole {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    pub(crate) fn session_id(&self) -> Option<String> {
        Some(self.headers.get(SESSION_ID)?.to_str().expect("a session id is visible ASCII").to_owned())
    }

    pub(crate) fn reconnect_token(&self) -> Option<String> {
        Some(self.headers.get(RECONNECT_TOKEN)?.to_str().expect("a token is visible ASCII").to_owned())
    }

    /// Everything a client can tell answers apart by; the date is the server's clock.
    pub(crate) fn fingerprint(&self) -> (StatusCode, HeaderMap, Bytes) {
        let mut headers = self.headers.clone();
        headers.remove(header::DATE);
        (self.status, headers, self.body.clone())
    }
}

/// An event stream, message by message.
pub(crate) struct Events {
    answer: Answer,
    pending: BytesMut,
}

/// A message of an event stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: Option<String>,
    pub(crate) retry: Option<u64>,
    /// Absent where the event only tells its id, or when to come back.
    pub(crate) message: Option<Value>,
}

impl Event {
    /// Reads an event as it came; `None` for a comment.
    fn read(raw: &str) -> Option<Self> {
        let field = |name: &str| raw.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let event = Self {
            id: field("id").map(str::to_owned),
            retry: field("retry").map(|retry| retry.parse().expect("a number of milliseconds")),
            message: field("data").map(|data| serde_json::from_str(data).expect("JSON in an event")),
        };
        (event.id.is_some() || event.retry.is_some() || event.message.is_some()).then_some(event)
    }

    /// The id of an event that has one.
    pub(crate) fn cursor(&self) -> &str {
        self.id.as_deref().unwrap_or_else(|| panic!("{self:?} has no id"))
    }

    /// The message of an event that has one.
    pub(crate) fn message(&self) -> &Value {
        self.message.as_ref().unwrap_or_else(|| panic!("{self:?} has no message"))
    }
}

impl Events {
    /// The next event that is more than a comment; `None` when the stream has ended.
    pub(crate) async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = Event::read(&self.next_raw().await?) {
                return Some(event);
            }
        }
    }

    /// The next event that is more than a comment, however long it takes; `None` when the stream has ended or is broken.
    pub(crate) async fn read(&mut self) -> Option<Event> {
        loop {
            while let Some(raw) = self.take_raw() {
                if let Some(event) = Event::read(&raw) {
                    return Some(event);
                }
            }
            let frame = self.answer.body.frame().await?.ok()?;
            self.pending.extend_from_slice(&frame.into_data().unwrap_or_default());
        }
    }

    /// So many events.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < count {
            let event = self.event().await;
            events.push(event.unwrap_or_else(|| panic!("the stream ended after {events:?}")));
        }
        events
    }

    /// All events to the end of the stream.
    pub(crate) async fn all(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.event().await {
            events.push(event);
        }
        events
    }

    /// The next message that carries JSON; `None` when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            let message = self.next_raw().await?;
            let data: Vec<&str> = message.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
            if !data.is_empty() {
                return Some(serde_json::from_str(&data.join("\n")).expect("JSON in an event"));
            }
        }
    }

    /// The next message as it came, comments included.
    pub(crate) async fn next_raw(&mut self) -> Option<String> {
        loop {
            if let Some(raw) = self.take_raw() {
                return Some(raw);
            }
            let frame = soon("another event, or the end of the stream", self.answer.body.frame()).await?.ok()?;
            self.pending.extend_from_slice(&frame.into_data().unwrap_or_default());
        }
    }

    /// A message that is here already.
    fn take_raw(&mut self) -> Option<String> {
        let end = self.pending.windows(2).position(|bytes| bytes == b"\n\n")?;
        let message = self.pending.split_to(end + 2);
        Some(String::from_utf8(message.to_vec()).expect("UTF-8"))
    }

    /// Reads to the end of the stream.
    pub(crate) async fn rest(mut self) -> Vec<Value> {
        let mut messages = Vec::new();
        while let Some(message) = self.next().await {
            messages.push(message);
        }
        messages
    }
}
