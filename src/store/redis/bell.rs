//! Pub/sub on a connection of its own, one for all listeners of a store to a channel.
//!
//! Its task runs from the first listener until the store is dropped. It never waits for a listener: one that falls
//! behind is told that it lost something. A connection that went silent is found out by a `PING` each second.

use std::time::Duration;

use deadpool_redis::redis::aio::{PubSubSink, PubSubStream};
use deadpool_redis::redis::{Client, RedisError, RedisResult, Value};
use futures::stream::{self, Stream, StreamExt};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::failure::too_late;
use crate::store::StoreError;
use crate::telemetry::text::escaped;

/// Messages a listener may be behind before it is told that it lost some.
const BACKLOG: usize = 4096;
const HEARTBEAT: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What a listener hears.
#[derive(Clone)]
pub(super) enum Signal<T> {
    /// What was told.
    Message(T),
    /// Messages are being missed.
    Lost,
    /// No more.
    Restored,
}

/// Where messages are told, and how they are read: `None` if this version does not know what it is told.
pub(super) struct Line<T> {
    pub(super) client: Client,
    pub(super) channel: String,
    pub(super) connect_timeout: Duration,
    pub(super) decode: fn(&[u8]) -> Option<T>,
}

/// The listening task and its audience.
pub(super) struct Bell<T> {
    news: broadcast::Sender<Signal<T>>,
    connected: watch::Receiver<bool>,
    _task: AbortOnDropHandle<()>,
}

impl<T: Clone + Send + 'static> Bell<T> {
    pub(super) fn hang(line: Line<T>) -> Self {
        let (connected, is_connected) = watch::channel(false);
        // The task gets a sender of its own and goes with the store, so the listeners' streams end with it.
        let news = broadcast::Sender::new(BACKLOG);
        let ear = Ear { line, news: news.clone(), connected };
        let task = AbortOnDropHandle::new(tokio::spawn(ear.listen()));
        Self { news, connected: is_connected, _task: task }
    }

    /// Everything that is told once this has returned.
    pub(super) async fn listen(
        &self,
        patience: Duration,
    ) -> Result<impl Stream<Item = Signal<T>> + Send + use<T>, StoreError> {
        let deadline = Instant::now() + patience;
        let mut connected = self.connected.clone();
        loop {
            let receiver = self.news.subscribe();
            if *connected.borrow_and_update() {
                return Ok(signals(receiver, connected));
            }
            match timeout_at(deadline, connected.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(too_late()),
            }
        }
    }
}

/// What a listener hears. Having missed some is a loss; it is over at once unless the connection is down too, in which case
/// the task tells when it is back.
fn signals<T: Clone + Send + 'static>(
    receiver: broadcast::Receiver<Signal<T>>,
    connected: watch::Receiver<bool>,
) -> impl Stream<Item = Signal<T>> + Send + use<T> {
    let heard = stream::unfold((receiver, connected), |(mut receiver, connected)| async {
        let signals = match receiver.recv().await {
            Ok(signal) => vec![signal],
            Err(broadcast::error::RecvError::Lagged(_)) if *connected.borrow() => {
                vec![Signal::Lost, Signal::Restored]
            }
            Err(broadcast::error::RecvError::Lagged(_)) => vec![Signal::Lost],
            Err(broadcast::error::RecvError::Closed) => return None,
        };
        Some((signals, (receiver, connected)))
    });
    heard.flat_map(stream::iter)
}

struct Ear<T> {
    line: Line<T>,
    news: broadcast::Sender<Signal<T>>,
    connected: watch::Sender<bool>,
}

impl<T> Ear<T> {
    async fn listen(self) {
        let (mut pause, mut was_connected) = (FIRST_PAUSE, false);
        loop {
            match timeout(self.line.connect_timeout, self.dial()).await {
                Ok(Ok((sink, messages))) => {
                    self.connected.send_replace(true);
                    if was_connected {
                        tracing::info!("listening to redis again");
                        self.tell(Signal::Restored);
                    }
                    (pause, was_connected) = (FIRST_PAUSE, true);
                    self.hear(sink, messages).await;
                    tracing::warn!("the connection that listens to redis broke; will try again");
                    self.connected.send_replace(false);
                    self.tell(Signal::Lost);
                }
                Ok(Err(error)) => {
                    tracing::debug!(error = &*escaped(&error.to_string()), "cannot listen to redis; will try again");
                }
                Err(_) => tracing::debug!("cannot listen to redis in time; will try again"),
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn dial(&self) -> RedisResult<(PubSubSink, PubSubStream)> {
        let (mut sink, messages) = self.line.client.get_async_pubsub().await?.split();
        sink.subscribe(&self.line.channel).await?;
        Ok((sink, messages))
    }

    /// Passes messages on until the connection breaks or no longer answers.
    async fn hear(&self, sink: PubSubSink, mut messages: PubSubStream) {
        let reading = async {
            while let Some(message) = messages.next().await {
                if let Some(message) = (self.line.decode)(message.get_payload_bytes()) {
                    self.tell(Signal::Message(message));
                }
            }
        };
        tokio::select! {
            () = reading => {}
            () = heartbeat(sink) => {}
        }
    }

    /// Nobody listening is fine.
    fn tell(&self, signal: Signal<T>) {
        let _ = self.news.send(signal);
    }
}

/// Ends when the connection does not answer.
async fn heartbeat(mut sink: PubSubSink) {
    loop {
        sleep(HEARTBEAT).await;
        let answer: Result<Result<Value, RedisError>, _> = timeout(HEARTBEAT, sink.ping()).await;
        if !matches!(answer, Ok(Ok(_))) {
            return;
        }
    }
}
