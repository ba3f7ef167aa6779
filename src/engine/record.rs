//! Log first, then send: a call's stream on its way into the session's log, and from there to its client.
//!
//! The recording outlives the client: a call goes on when its client disconnects (MCP 2025-11-25, "Disconnection … SHOULD NOT
//! be interpreted as the client cancelling its request"), and its messages wait in the log. While the store is away they are
//! held here in order, up to [`HELD`] bytes; past that the inner service is not read on, and the client is told to come back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use crate::engine::Engine;
use crate::engine::inner_stream::{InnerEvent, InnerStream};
use crate::engine::outgoing::{Said, Speaker};
use crate::engine::resident::Lease;
use crate::protocol::message::{self, RequestId};
use crate::rejection;
use crate::store::{Appended, QuestionName, Shaped, Shaping, StoreError};

/// Bytes held while the store is away.
const HELD: usize = 1 << 20;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A client that takes this long to take a message reads on from the log, at its own pace.
const PATIENCE: Duration = Duration::from_secs(1);
/// When a client should come back that cannot be served while the store is away.
const COME_BACK: Duration = Duration::from_secs(1);

/// What a recording hands to the client that made the call. When it just ends, the client's reader goes on in the log.
pub(crate) enum Handed {
    /// The stream is in the log, and so can be resumed.
    Begun,
    /// Messages and their positions.
    Messages(Vec<(u64, Bytes)>),
    /// The response was among the messages.
    Finished,
    /// The stream goes on after the client has come back.
    ComeBack(Duration),
    /// The stream is none of the client's business any more.
    Over,
}

/// A call being recorded.
pub(crate) struct Recording {
    engine: Arc<Engine>,
    lease: Lease,
    speaker: Speaker,
    /// The request to answer.
    id: RequestId,
    shaping: Option<Shaping>,
    inner: InnerStream,
    client: Option<mpsc::Sender<Handed>>,
    held: Held,
}

/// What is not in the log yet.
struct Held {
    begun: bool,
    messages: Vec<(Bytes, Option<QuestionName>)>,
    bytes: usize,
    /// The last message is among them.
    finishing: bool,
    /// The stream is in the log whole, or will never be.
    concluded: bool,
    retry_at: Instant,
    pause: Duration,
}

impl Held {
    fn push(&mut self, message: Bytes, question: Option<QuestionName>) {
        self.bytes += message.len();
        self.messages.push((message, question));
    }

    fn is_empty(&self) -> bool {
        self.begun && self.messages.is_empty() && !self.finishing
    }
}

impl Recording {
    pub(crate) fn new(
        engine: Arc<Engine>,
        lease: Lease,
        speaker: Speaker,
        id: RequestId,
        shaping: Option<Shaping>,
        inner: InnerStream,
        client: mpsc::Sender<Handed>,
    ) -> Self {
        lease.recording.fetch_add(1, Ordering::AcqRel);
        let held = Held {
            begun: false,
            messages: Vec::new(),
            bytes: 0,
            finishing: false,
            concluded: false,
            retry_at: Instant::now(),
            pause: FIRST_PAUSE,
        };
        Self { engine, lease, speaker, id, shaping, inner, client: Some(client), held }
    }

    /// A recording whose response is known already.
    pub(crate) fn of_response(mut self, response: Bytes) -> Self {
        self.respond(response);
        self
    }

    /// Records to the end.
    pub(crate) async fn run(mut self) {
        while !self.held.concluded {
            if !self.held.is_empty() && Instant::now() >= self.held.retry_at {
                self.flush().await;
                continue;
            }
            tokio::select! {
                biased;
                () = self.lease.ended.cancelled() => self.held.concluded = true,
                () = self.engine.drain.calls_end.cancelled(), if !self.held.finishing => self.break_off(),
                event = self.inner.next(), if !self.held.finishing && self.held.bytes <= HELD => self.take(event).await,
                () = sleep_until(self.held.retry_at), if !self.held.is_empty() => {}
            }
        }
    }

    async fn take(&mut self, event: InnerEvent) {
        match event {
            InnerEvent::Message(said) => match self.engine.translate(&self.speaker, said) {
                Said::Notification(message) => self.held.push(message, None),
                Said::Question(message, name) => self.held.push(message, Some(name)),
                Said::Response(message) => self.respond(message),
                Said::Nothing => {}
            },
            InnerEvent::Closed(retry) => self.send_away(retry).await,
            InnerEvent::Over => {
                tracing::warn!(session = %self.lease.key, "the inner service's event stream ended without a response");
                self.break_off();
            }
        }
    }

    fn respond(&mut self, message: Bytes) {
        if self.shaping.is_some() && !message::is_result(&message) {
            self.shaping = None;
        }
        self.held.push(message, None);
        self.held.finishing = true;
    }

    /// No answer will come: whoever waits for it is told so.
    fn break_off(&mut self) {
        self.respond(rejection::broken_stream_message(&self.id).into());
    }

    /// The inner service wants its client to come back later, and so does the layer.
    async fn send_away(&mut self, retry: Duration) {
        if self.held.begun {
            self.hand(Handed::ComeBack(retry)).await;
            self.client = None;
        }
    }

    async fn hand(&mut self, handed: Handed) {
        if let Some(client) = &self.client
            && !matches!(timeout(PATIENCE, client.send(handed)).await, Ok(Ok(())))
        {
            self.client = None;
        }
    }

    /// Writes what is held, or as much as the store takes.
    async fn flush(&mut self) {
        match self.write().await {
            Ok(Appended::Stored { last }) => {
                self.held.pause = FIRST_PAUSE;
                self.deliver(last).await;
            }
            Ok(Appended::Finished | Appended::Superseded | Appended::Gone) => {
                self.held.concluded = true;
                self.hand(Handed::Over).await;
            }
            Err(error) => {
                tracing::debug!(session = %self.lease.key, %error, bytes = self.held.bytes, "messages are held until the store is back");
                self.held.retry_at = Instant::now() + self.held.pause;
                self.held.pause = (self.held.pause * 2).min(LONGEST_PAUSE);
                if self.held.bytes > HELD {
                    self.hand(Handed::ComeBack(COME_BACK)).await;
                    self.client = None;
                }
            }
        }
    }

    async fn write(&mut self) -> Result<Appended, StoreError> {
        if !self.held.begun {
            let Speaker { key, generation, stream, .. } = &self.speaker;
            let about = if self.id.is_short() { self.id.as_json().as_bytes() } else { b"" };
            let begun = self.engine.store.begin(key, *generation, stream, about).await?;
            let Appended::Stored { .. } = begun else { return Ok(begun) };
            self.held.begun = true;
            self.hand(Handed::Begun).await;
        }
        self.open_questions().await?;
        self.shape().await?;
        if self.held.messages.is_empty() && !self.held.finishing {
            return Ok(Appended::Stored { last: 0 });
        }
        let Speaker { key, generation, stream, .. } = &self.speaker;
        let messages: Vec<Bytes> = self.held.messages.iter().map(|(message, _)| message.clone()).collect();
        let (store, limits) = (&self.engine.store, &self.engine.config.stream_log);
        match self.held.finishing {
            true => store.finish(key, *generation, stream, &messages, limits).await,
            false => store.append(key, *generation, stream, &messages, limits).await,
        }
    }

    /// A question goes out once it is known to be open; one that may not be asked does not go out at all.
    async fn open_questions(&mut self) -> Result<(), StoreError> {
        let mut at = 0;
        while let Some((_, question)) = self.held.messages.get(at) {
            let open = match question {
                Some(name) => self.engine.open_question(&self.speaker, name).await?,
                None => true,
            };
            if open {
                at += 1;
            } else {
                self.held.messages.remove(at);
            }
        }
        Ok(())
    }

    /// A shaping call that succeeded is kept before its client hears of it.
    async fn shape(&mut self) -> Result<(), StoreError> {
        if !self.held.finishing {
            return Ok(());
        }
        if let Some(shaping) = &self.shaping
            && self.engine.keep_shaping(&self.speaker, shaping).await? == Shaped::TooLarge
            && let Some((response, _)) = self.held.messages.last_mut()
        {
            *response = rejection::too_shapely_message(&self.id).into();
        }
        self.shaping = None;
        Ok(())
    }

    /// What was stored, the last of it at a position, is the client's.
    async fn deliver(&mut self, last: u64) {
        let messages = std::mem::take(&mut self.held.messages);
        self.held.bytes = 0;
        if !messages.is_empty() {
            let first = last + 1 - messages.len() as u64;
            let placed = messages.into_iter().enumerate().map(|(i, (message, _))| (first + i as u64, message));
            self.hand(Handed::Messages(placed.collect())).await;
        }
        if self.held.finishing {
            self.held.concluded = true;
            self.hand(Handed::Finished).await;
        }
    }
}

impl Drop for Recording {
    /// However a recording ends: nobody waits for answers to its questions, and if its task was cut short or panicked, its
    /// reader is told that no answer will come.
    fn drop(&mut self) {
        self.lease.recording.fetch_sub(1, Ordering::AcqRel);
        let Ok(runtime) = Handle::try_current() else { return };
        self.engine.withdraw_questions(&self.lease.key, &self.speaker.stream);
        if self.held.concluded {
            return;
        }
        let limits = self.engine.config.stream_log;
        let (key, generation, stream) = (self.speaker.key, self.speaker.generation, self.speaker.stream.clone());
        let error = Bytes::from(rejection::broken_stream_message(&self.id));
        let _runtime = runtime.enter();
        self.engine.tell_until_stored(move |store| {
            let (stream, error) = (stream.clone(), error.clone());
            async move { store.finish(&key, generation, &stream, &[error], &limits).await.map(drop) }.boxed()
        });
    }
}
