//! One reader for all streams: a call's first delivery, a call resumed, and listening are the same thing at different
//! positions.
//!
//! A reader is the body of an answer. It ends with its session, with its client, when the stream is finished, when another
//! listener takes over, and when the replica leaves; then its client is told when to come back.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::Response;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::body::{BoxError, ResponseBody};
use crate::engine::Engine;
use crate::engine::hints::{Hints, signed};
use crate::engine::orphan;
use crate::engine::record::Handed;
use crate::engine::verdict::Admission;
use crate::protocol::sse;
use crate::protocol::version::ProtocolVersion;
use crate::rejection;
use crate::store::{Heard, ListenCursor, LogSlice, StreamName, StreamState};
use crate::stream::{cursor, event_stream};

/// Messages read at once.
const PART: usize = 64;
/// How often a comment proves the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// When a client of a leaving replica should come back.
const COME_BACK: Duration = Duration::from_millis(500);
/// When a client should come back whose connection breaks.
const RETRY: Duration = Duration::from_secs(1);
/// The bell may be missed: how often the log of a call is looked into all the same.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The same for the listening stream.
const LISTEN_AGAIN: Duration = Duration::from_secs(5);
/// How long to leave the store alone after it failed.
const STORE_PAUSE: Duration = Duration::from_millis(250);

pub(crate) struct Reader {
    engine: Arc<Engine>,
    admission: Admission,
    /// What stands before the position in the stream's event ids.
    name: String,
    /// The position of the last message given out.
    after: u64,
    source: Source,
    ready: VecDeque<Bytes>,
    is_over: bool,
    leave: CancellationToken,
    /// Messages to read at once: fewer after the store failed, for a read of many large ones may take too long.
    part: usize,
    /// When something was last given out.
    spoke_at: Instant,
    /// The position at which a gap was told of.
    gap_told: Option<u64>,
}

enum Source {
    /// The recording of the call, here.
    Handed(StreamName, mpsc::Receiver<Handed>),
    /// The log of a call, recorded wherever.
    Call { stream: StreamName, absent_since: Option<Instant> },
    /// The listening stream.
    Listen { listener: u64, hints: Hints, _ear: Option<AbortOnDropHandle<()>> },
}

impl Reader {
    fn new(engine: Arc<Engine>, admission: Admission, name: String, after: u64, source: Source) -> Self {
        let leave = match source {
            Source::Handed(..) | Source::Call { .. } => engine.drain.calls_end.clone(),
            Source::Listen { .. } => engine.drain.listens_end.clone(),
        };
        Self {
            engine,
            admission,
            name,
            after,
            source,
            ready: VecDeque::new(),
            is_over: false,
            leave,
            part: PART,
            spoke_at: Instant::now(),
            gap_told: None,
        }
    }

    /// A call as it is being recorded.
    pub(crate) fn of_call(
        engine: Arc<Engine>,
        admission: Admission,
        stream: StreamName,
        handed: mpsc::Receiver<Handed>,
    ) -> Self {
        let name = stream.as_str().to_owned();
        Self::new(engine, admission, name, 0, Source::Handed(stream, handed))
    }

    /// A call from the log, after a position.
    pub(crate) fn resumed(engine: Arc<Engine>, admission: Admission, stream: StreamName, after: u64) -> Self {
        let name = stream.as_str().to_owned();
        Self::new(engine, admission, name, after, Source::Call { stream, absent_since: None }).primed()
    }

    /// The listening stream, for its listener.
    pub(crate) fn listening(
        engine: Arc<Engine>,
        admission: Admission,
        at: ListenCursor,
        ear: Option<AbortOnDropHandle<()>>,
    ) -> Self {
        let name = cursor::of_listener(&admission.record.key, at.listener);
        let source = Source::Listen { listener: at.listener, hints: Hints::default(), _ear: ear };
        Self::new(engine, admission, name, at.position, source).primed()
    }

    /// Gives the client something at once: the cursor to come back with, if it knows such events.
    fn primed(mut self) -> Self {
        let first =
            if self.knows_priming() { sse::priming(&self.event_id(self.after), RETRY) } else { sse::KEEP_ALIVE };
        self.ready.push_back(first);
        self
    }

    /// An answer whose body this is.
    pub(crate) fn into_response(self) -> Response<ResponseBody> {
        event_stream(self.into_body())
    }

    pub(crate) fn into_body(self) -> ResponseBody {
        let frames = stream::unfold(self, |mut reader| async {
            let bytes = reader.next().await?;
            Some((Ok::<_, BoxError>(Frame::data(bytes)), reader))
        });
        ResponseBody::stream(StreamBody::new(Box::pin(frames)))
    }

    /// Priming events and `retry` came with revision 2025-11-25.
    fn knows_priming(&self) -> bool {
        self.admission.record.origin.protocol_version >= ProtocolVersion::V2025_11_25
    }

    fn event_id(&self, position: u64) -> String {
        format!("{}.{position}", self.name)
    }

    async fn next(&mut self) -> Option<Bytes> {
        let (ended, leave) = (self.admission.lease.ended.clone(), self.leave.clone());
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                self.spoke_at = Instant::now();
                return Some(bytes);
            }
            if self.is_over || ended.is_cancelled() {
                return None;
            }
            let keep_alive_at = self.spoke_at + KEEP_ALIVE;
            tokio::select! {
                biased;
                () = ended.cancelled() => {}
                () = self.read_on() => {}
                () = leave.cancelled() => self.send_away(COME_BACK),
                () = sleep_until(keep_alive_at) => self.ready.push_back(sse::KEEP_ALIVE),
            }
        }
    }

    /// Ends the stream, which goes on elsewhere.
    fn send_away(&mut self, come_back: Duration) {
        if self.knows_priming() {
            self.ready.push_back(sse::retry(come_back));
        }
        self.is_over = true;
    }

    /// Reads what there is, or waits until there may be something. Nothing is lost if this is dropped on the way.
    async fn read_on(&mut self) {
        match &mut self.source {
            Source::Handed(_, handed) => {
                let handed = handed.recv().await;
                self.receive(handed);
            }
            Source::Call { .. } => self.read_call().await,
            Source::Listen { .. } => self.read_listening().await,
        }
    }

    fn receive(&mut self, handed: Option<Handed>) {
        match handed {
            Some(Handed::Begun) if self.knows_priming() => self.ready.push_back(sse::priming(&self.event_id(0), RETRY)),
            Some(Handed::Begun) => {}
            Some(Handed::Messages(messages)) => messages.iter().for_each(|(at, message)| self.give(*at, message)),
            Some(Handed::Finished | Handed::Over) => self.is_over = true,
            Some(Handed::ComeBack(after)) => self.send_away(after),
            None => {
                if let Source::Handed(stream, _) = &self.source {
                    self.source = Source::Call { stream: stream.clone(), absent_since: None };
                }
            }
        }
    }

    fn give(&mut self, position: u64, message: &[u8]) {
        self.after = position;
        self.ready.push_back(sse::event(&self.event_id(position), message));
    }

    async fn read_call(&mut self) {
        let Source::Call { stream, .. } = &self.source else { return };
        let (engine, key) = (Arc::clone(&self.engine), self.admission.record.key);
        let resident = Arc::clone(&self.admission.lease);
        let mut rung = std::pin::pin!(resident.bell.notified());
        rung.as_mut().enable();
        let asked_for = self.part;
        let Ok(slice) = engine.store.read(&key, stream, self.after, asked_for).await else {
            return self.pause().await;
        };
        self.part = (asked_for + 1).min(PART);
        self.give_slice(&slice);
        let Source::Call { stream, absent_since } = &mut self.source else { return };
        match (&slice.state, slice.messages.is_empty()) {
            (StreamState::Open(_), true) if !self.ready.is_empty() => {}
            (StreamState::Open(about), true) => {
                if timeout(LOOK_AGAIN, rung).await.is_ok() {
                    *absent_since = None;
                } else if orphan::is_orphaned(&engine, stream, absent_since).await {
                    engine.finish_orphan(&self.admission, stream, about).await;
                }
            }
            (StreamState::Open(_), false) => *absent_since = None,
            (StreamState::Finished, _) => self.is_over = slice.messages.len() < asked_for,
            (StreamState::Unknown, _) => self.is_over = true,
        }
    }

    fn give_slice(&mut self, slice: &LogSlice) {
        if slice.gap && self.gap_told.replace(self.after) != Some(self.after) {
            self.ready.push_back(sse::message(&rejection::gap_message()));
        }
        slice.messages.iter().for_each(|(at, message)| self.give(*at, message));
    }

    async fn read_listening(&mut self) {
        let Source::Listen { listener, hints, .. } = &mut self.source else { return };
        let overdue = hints.due();
        if !overdue.is_empty() {
            return self.ready.extend(overdue.iter().map(|hint| sse::message(hint)));
        }
        let (store, key) = (&self.engine.store, self.admission.record.key);
        let resident = Arc::clone(&self.admission.lease);
        let mut rung = std::pin::pin!(resident.bell.notified());
        rung.as_mut().enable();
        match store.hear(&key, *listener, self.after, self.part).await {
            Ok(Heard::Messages(slice)) if slice.messages.is_empty() => {
                let _ = timeout(hints.next_due().unwrap_or(LISTEN_AGAIN), rung).await;
            }
            Ok(Heard::Messages(mut slice)) => {
                let last = slice.messages.last().map_or(self.after, |(at, _)| *at);
                slice.messages.retain_mut(|(_, message)| hints.admit(message));
                self.part = (self.part + 1).min(PART);
                self.give_slice(&slice);
                self.after = last;
            }
            Ok(Heard::Over) => self.is_over = true,
            Err(_) => self.pause().await,
        }
    }

    /// The store failed, or the read was too large for it.
    async fn pause(&mut self) {
        self.part = (self.part / 2).max(1);
        sleep(STORE_PAUSE).await;
    }
}

impl Drop for Reader {
    /// A listener says how far it heard, so that the next one goes on from there, and leaves it what was still to be said again.
    fn drop(&mut self) {
        if let (Source::Listen { listener, hints, .. }, Ok(runtime)) = (&mut self.source, Handle::try_current()) {
            let (engine, record) = (Arc::clone(&self.engine), Arc::clone(&self.admission.record));
            let (listener, after) = (*listener, self.after);
            let owed: Vec<Bytes> = hints.owed().iter().map(|hint| signed(&engine.replica_id, hint)).collect();
            runtime.spawn(async move {
                if !owed.is_empty() {
                    let (log, limits) = (&StreamName::LISTEN, &engine.config.stream_log);
                    // What can be asked for again is worth no second try.
                    let _ = engine.store.append(&record.key, record.generation, log, &owed, limits).await;
                }
                engine.store.leave(&record.key, listener, after).await
            });
        }
    }
}
