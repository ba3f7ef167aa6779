//! Answers that take their time and are not recorded, on their way to the client, each pumped by a task of its own.
//!
//! The task outlives the client where it must: a call goes on when its client disconnects (MCP 2025-11-25, "Disconnection …
//! SHOULD NOT be interpreted as the client cancelling its request"). It ends when the session ends, and says `retry` first
//! when the replica leaves. Event streams lose the inner service's event ids here: no replica could resume them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, stream};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at};
use tokio_util::sync::CancellationToken;

use super::purpose::Purpose;
use crate::body::{BoxError, ResponseBody};
use crate::engine::Engine;
use crate::engine::binding::Binding;
use crate::engine::inner_stream::{InnerEvent, InnerStream};
use crate::engine::outgoing::{Said, Speaker};
use crate::engine::verdict::Admission;
use crate::protocol::sse;
use crate::protocol::version::ProtocolVersion;
use crate::rejection;

/// Frames in flight between the inner service and the client.
const BUFFER: usize = 8;
/// When a client of a leaving replica should come back.
const COME_BACK: Duration = Duration::from_millis(500);
/// How often a comment proves the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

type Pump = BoxFuture<'static, ()>;

/// One answer being relayed.
pub(crate) struct Relay {
    engine: Arc<Engine>,
    admission: Admission,
    speaker: Speaker,
    purpose: Purpose,
    /// Cancelled when this replica wants the stream to end.
    leave: CancellationToken,
}

impl Relay {
    pub(crate) fn new(engine: Arc<Engine>, admission: Admission, binding: Arc<Binding>, purpose: Purpose) -> Self {
        let leave = match &purpose {
            Purpose::Listen => engine.drain.listens_end.clone(),
            Purpose::Call(..) | Purpose::Word(_) => engine.drain.calls_end.clone(),
        };
        let call = match &purpose {
            Purpose::Call(id, _) => Some(id.clone()),
            Purpose::Listen | Purpose::Word(_) => None,
        };
        let speaker = Speaker::of_call(&engine, &admission, binding, call);
        Self { engine, admission, speaker, purpose, leave }
    }

    /// Relays an event stream, message by message.
    pub(crate) fn events(self, inner: ResponseBody) -> (ResponseBody, Pump) {
        let (mut client, body) = Client::new();
        (body, async move { self.pump_events(inner, &mut client).await }.boxed())
    }

    /// Relays a body that takes its time.
    pub(crate) fn bytes(self, inner: ResponseBody) -> (ResponseBody, Pump) {
        let (mut client, body) = Client::new();
        (body, async move { self.pump_bytes(inner, &mut client).await }.boxed())
    }

    async fn pump_bytes(self, mut inner: ResponseBody, client: &mut Client) {
        let ended = &self.admission.lease.ended;
        let forward = async {
            while let Some(frame) = inner.frame().await {
                match frame {
                    Ok(frame) => client.send(frame).await,
                    Err(error) => return client.cut(error).await,
                }
            }
        };
        let is_done = tokio::select! {
            biased;
            () = ended.cancelled() => false,
            () = self.leave.cancelled() => false,
            () = forward => true,
        };
        if !is_done {
            client.cut("the answer is not finished here".into()).await;
        }
    }

    async fn pump_events(self, inner: ResponseBody, client: &mut Client) {
        let knows_retry = self.admission.record.origin.protocol_version >= ProtocolVersion::V2025_11_25;
        let listener = client.0.clone();
        let left = async move {
            if let Some(listener) = listener {
                listener.closed().await;
            }
        };
        let is_leaving = tokio::select! {
            biased;
            () = self.admission.lease.ended.cancelled() => false,
            () = self.leave.cancelled() => true,
            () = left, if matches!(self.purpose, Purpose::Listen) => false,
            () = self.forward(inner, client) => false,
        };
        self.engine.withdraw_questions(&self.speaker.key, &self.speaker.stream);
        if is_leaving && knows_retry {
            client.say(sse::retry(COME_BACK)).await;
        }
    }

    /// Forwards until the inner stream is over.
    async fn forward(&self, inner: ResponseBody, client: &mut Client) {
        let is_call = matches!(self.purpose, Purpose::Call(..));
        let mut inner =
            if is_call { InnerStream::resuming(&self.speaker.binding, inner) } else { InnerStream::once(inner) };
        let mut keep_alive = interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
        loop {
            let event = tokio::select! {
                event = inner.next() => event,
                _ = keep_alive.tick() => {
                    client.say(sse::KEEP_ALIVE).await;
                    continue;
                }
            };
            match event {
                InnerEvent::Message(said) => {
                    if self.forward_one(said, client).await {
                        return;
                    }
                }
                InnerEvent::Closed(_) => {}
                InnerEvent::Over => return self.report_over(client).await,
            }
        }
    }

    /// `true` if it was the response.
    async fn forward_one(&self, said: Vec<u8>, client: &mut Client) -> bool {
        match self.engine.translate(&self.speaker, said) {
            Said::Notification(message) => client.say(sse::message(&message)).await,
            Said::Question(message, name) => match self.engine.open_question(&self.speaker, &name).await {
                Ok(true) => client.say(sse::message(&message)).await,
                Ok(false) => {}
                Err(error) => {
                    self.engine.store_failed("ask", &self.speaker.key, &error);
                    self.engine.give_up(&self.speaker.key, &name);
                }
            },
            Said::Response(message) => {
                client.say(sse::message(&message)).await;
                return true;
            }
            Said::Nothing => {}
        }
        false
    }

    /// The inner stream ended without a response: whoever waits for one is told that none will come.
    async fn report_over(&self, client: &mut Client) {
        if let Purpose::Call(id, _) = &self.purpose {
            tracing::warn!(session = %self.speaker.key, "the inner service's event stream ended without a response");
            client.say(sse::message(rejection::broken_stream_message(id).as_bytes())).await;
        }
    }
}

/// The client's end of a stream; `None` once it has left.
struct Client(Option<mpsc::Sender<Result<Frame<Bytes>, BoxError>>>);

impl Client {
    fn new() -> (Self, ResponseBody) {
        let (sender, mut receiver) = mpsc::channel(BUFFER);
        let frames = stream::poll_fn(move |cx| receiver.poll_recv(cx));
        (Self(Some(sender)), ResponseBody::stream(StreamBody::new(frames)))
    }

    async fn say(&mut self, bytes: Bytes) {
        self.send(Frame::data(bytes)).await;
    }

    async fn send(&mut self, frame: Frame<Bytes>) {
        if let Some(sender) = &self.0
            && sender.send(Ok(frame)).await.is_err()
        {
            self.0 = None;
        }
    }

    /// Breaks the answer off, so that it does not look complete.
    async fn cut(&mut self, error: BoxError) {
        if let Some(sender) = self.0.take() {
            // A client that has left misses nothing.
            let _ = sender.send(Err(error)).await;
        }
    }
}
