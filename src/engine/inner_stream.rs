//! An inner service's event stream, message by message, and taken up again where the inner service closes it early. An event
//! that carries an array (a batch, in revision 2025-03-26) is its messages, one by one.
//!
//! A server of 2025-11-25 may close a stream before the response and expect its client to come back with the last event id
//! (SEP-1699). Towards the inner service the layer is that client.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use http::Response;
use http_body_util::BodyExt;

use crate::body::ResponseBody;
use crate::engine::binding::Binding;
use crate::protocol::sse::Splitter;
use crate::protocol::{headers, message};
use crate::telemetry::text::escaped;

/// When to come back to an inner service that does not say.
const COME_BACK: Duration = Duration::from_millis(500);
const LATEST: Duration = Duration::from_secs(30);
/// How often to come back without hearing anything new.
const ATTEMPTS: u32 = 5;

/// What happens on an inner stream.
#[derive(Debug)]
pub(crate) enum InnerEvent {
    /// A message with content.
    Message(Vec<u8>),
    /// The inner service closed the stream to be asked again after this long; it is.
    Closed(Duration),
    /// Nothing more will come.
    Over,
}

pub(crate) struct InnerStream {
    /// Where to ask again.
    binding: Option<Arc<Binding>>,
    state: State,
    splitter: Splitter,
    /// What is left of an array.
    batch: VecDeque<Vec<u8>>,
    cursor: Option<String>,
    /// Some inner services say the event again that they are asked to go on after.
    repeated: Option<String>,
    retry: Duration,
    attempts: u32,
}

enum State {
    Reading(ResponseBody),
    ComingBack(BoxFuture<'static, Option<Response<ResponseBody>>>),
    Over,
}

impl InnerStream {
    /// A stream that is over when it ends.
    pub(crate) fn once(body: ResponseBody) -> Self {
        Self {
            binding: None,
            state: State::Reading(body),
            splitter: Splitter::default(),
            batch: VecDeque::new(),
            cursor: None,
            repeated: None,
            retry: COME_BACK,
            attempts: 0,
        }
    }

    /// A stream that is asked for again if it ends early, where the inner service has sessions.
    pub(crate) fn resuming(binding: &Arc<Binding>, body: ResponseBody) -> Self {
        let binding = binding.inner_id().is_some().then(|| Arc::clone(binding));
        Self { binding, ..Self::once(body) }
    }

    /// Goes on after this event.
    pub(crate) fn after(mut self, cursor: Option<String>) -> Self {
        (self.repeated, self.cursor) = (cursor.clone(), cursor);
        self
    }

    /// The last event's id.
    pub(crate) fn cursor(&self) -> Option<String> {
        self.cursor.clone()
    }

    pub(crate) fn retry(&self) -> Duration {
        self.retry
    }

    /// The next event. Nothing is lost if this is dropped and called again.
    pub(crate) async fn next(&mut self) -> InnerEvent {
        loop {
            if let Some(message) = self.next_buffered() {
                return InnerEvent::Message(message);
            }
            match &mut self.state {
                State::Reading(body) => match body.frame().await {
                    Some(Ok(frame)) => self.splitter.push(frame.data_ref().map_or(&[], |data| data)),
                    Some(Err(error)) => {
                        tracing::debug!(error = &*escaped(&error.to_string()), "an inner stream broke off");
                        self.come_back();
                    }
                    None => {
                        self.come_back();
                        if matches!(self.state, State::ComingBack(_)) {
                            return InnerEvent::Closed(self.retry);
                        }
                    }
                },
                State::ComingBack(answer) => {
                    let answer = answer.await.filter(is_event_stream);
                    self.state = answer.map_or(State::Over, |answer| State::Reading(answer.into_body()));
                }
                State::Over => return InnerEvent::Over,
            }
        }
    }

    fn next_buffered(&mut self) -> Option<Vec<u8>> {
        if let Some(message) = self.batch.pop_front() {
            return Some(message);
        }
        while let Some(event) = self.splitter.next_message() {
            if let Some(retry) = event.retry {
                self.retry = Duration::from_millis(retry).min(LATEST);
            }
            let is_repeated = event.id.is_some() && event.id == self.repeated.take();
            if event.id.is_some() {
                self.cursor = event.id;
            }
            if event.data.is_empty() || is_repeated {
                continue;
            }
            self.attempts = 0;
            let Some(batch) = message::elements(&event.data) else { return Some(event.data) };
            self.batch = batch.into_iter().map(|message| message.get().as_bytes().to_vec()).collect();
            if let Some(message) = self.batch.pop_front() {
                return Some(message);
            }
        }
        None
    }

    fn come_back(&mut self) {
        self.splitter = Splitter::default();
        let (Some(cursor), Some(binding), true) = (&self.cursor, &self.binding, self.attempts < ATTEMPTS) else {
            self.state = State::Over;
            return;
        };
        let (cursor, binding, retry) = (cursor.clone(), Arc::clone(binding), self.retry);
        self.attempts += 1;
        self.repeated = Some(cursor.clone());
        self.state = State::ComingBack(Box::pin(async move {
            tokio::time::sleep(retry).await;
            binding.get(Some(&cursor)).await
        }));
    }
}

/// Whether an answer is a stream of events that can be read.
pub(crate) fn is_event_stream(answer: &Response<ResponseBody>) -> bool {
    let is_readable = answer.status().is_success() && !headers::is_encoded(answer.headers());
    is_readable && headers::has_media_type(answer.headers(), &headers::EVENT_STREAM)
}
