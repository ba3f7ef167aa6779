//! Event streams, and other answers that take their time, on their way to the client, each pumped by a task of its own.
//!
//! The task outlives the client where it must: a call goes on when its client disconnects (MCP 2025-11-25, "Disconnection …
//! SHOULD NOT be interpreted as the client cancelling its request"). It ends when the session ends, and says `retry` first
//! when the replica leaves.

use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::body::{BoxError, ResponseBody};
use crate::engine::resident::Lease;
use crate::protocol::message::RequestId;
use crate::protocol::sse;
use crate::protocol::version::ProtocolVersion;
use crate::rejection;
use crate::stream::priming::PrimingFilter;

/// Frames in flight between the inner service and the client.
const BUFFER: usize = 8;
/// When a client of a leaving replica should come back.
const COME_BACK: Duration = Duration::from_millis(500);

/// What an event stream is for.
pub(crate) enum Purpose {
    /// The client's GET. Ends with its client.
    Listen,
    /// The answer to a request, or whatever else a POST gets. Is read to its end, whether its client is there or not.
    Call(Option<RequestId>),
}

/// One stream being relayed.
pub(crate) struct Relay {
    pub(crate) purpose: Purpose,
    /// It is made of messages; otherwise it is one answer that takes its time.
    pub(crate) is_event_stream: bool,
    /// Keeps the session active.
    pub(crate) lease: Lease,
    /// Cancelled when this replica wants the stream to end.
    pub(crate) leave: CancellationToken,
    /// What the session negotiated.
    pub(crate) version: ProtocolVersion,
}

impl Relay {
    /// The client's end of the stream, and the task that feeds it.
    pub(crate) fn start(self, inner: ResponseBody) -> (ResponseBody, impl Future<Output = ()> + Send + 'static) {
        let (sender, mut receiver) = mpsc::channel(BUFFER);
        let frames = stream::poll_fn(move |cx| receiver.poll_recv(cx));
        (ResponseBody::stream(StreamBody::new(frames)), self.pump(inner, sender))
    }

    async fn pump(self, inner: ResponseBody, sender: mpsc::Sender<Result<Frame<Bytes>, BoxError>>) {
        let knows_retry = self.is_event_stream && self.version >= ProtocolVersion::V2025_11_25;
        let filter = (self.is_event_stream && !knows_retry).then(PrimingFilter::default);
        let listener = sender.clone();
        let mut client = Client {
            sender: Some(sender),
            is_event_stream: self.is_event_stream,
            at_boundary: self.is_event_stream,
            filter,
        };
        tokio::select! {
            biased;
            () = self.lease.ended.cancelled() => {}
            () = self.leave.cancelled() => {}
            () = listener.closed(), if matches!(self.purpose, Purpose::Listen) => return,
            () = self.forward(inner, &mut client) => return,
        }
        match client.at_boundary {
            true if self.leave.is_cancelled() && knows_retry => client.send(Frame::data(sse::retry(COME_BACK))).await,
            true => {}
            false => client.cut("the answer is not finished here".into()).await,
        }
    }

    /// Forwards until the inner stream is over or nobody needs it any more.
    async fn forward(&self, mut inner: ResponseBody, client: &mut Client) {
        while let Some(frame) = inner.frame().await {
            match frame {
                Ok(frame) => client.send(frame).await,
                Err(error) => return self.report_broken(error, client).await,
            }
        }
    }

    /// The inner stream broke off: whoever waits for an answer is told that none will come. Half a message cannot be taken
    /// back; then the connection is cut, so that the stream does not look complete.
    async fn report_broken(&self, error: BoxError, client: &mut Client) {
        tracing::warn!(session = %self.lease.key, %error, "the inner service's event stream broke off");
        match &self.purpose {
            _ if !client.at_boundary => client.cut(error).await,
            Purpose::Call(Some(id)) => {
                client.send(Frame::data(sse::message(&rejection::broken_stream_message(id)))).await;
            }
            Purpose::Call(None) | Purpose::Listen => {}
        }
    }
}

/// The client's end of a stream.
struct Client {
    /// `None` once the client has left.
    sender: Option<mpsc::Sender<Result<Frame<Bytes>, BoxError>>>,
    is_event_stream: bool,
    /// No message is half sent: the stream may end here.
    at_boundary: bool,
    /// For clients that do not know priming events.
    filter: Option<PrimingFilter>,
}

impl Client {
    async fn send(&mut self, mut frame: Frame<Bytes>) {
        let Some(sender) = &self.sender else { return };
        if let (Some(filter), Some(data)) = (&mut self.filter, frame.data_ref()) {
            let passed = filter.push(data);
            if passed.is_empty() {
                return;
            }
            frame = Frame::data(passed);
        }
        if let Some(data) = frame.data_ref()
            && self.is_event_stream
        {
            self.at_boundary = [&b"\n\n"[..], b"\r\n\r\n", b"\r\r"].iter().any(|end| data.ends_with(end));
        }
        if sender.send(Ok(frame)).await.is_err() {
            self.sender = None;
        }
    }

    /// Breaks the answer off.
    async fn cut(&mut self, error: BoxError) {
        if let Some(sender) = self.sender.take() {
            // A client that has left misses nothing.
            let _ = sender.send(Err(error)).await;
        }
    }
}
