//! [`Bus`] on Redis: pub/sub on a connection of its own, one for all listeners of a store.
//!
//! Its task runs from the first `subscribe` until the store is dropped. It never waits for a listener: one that falls
//! behind is told that it lost something. A connection that went silent is found out by a `PING` each second.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_redis::redis::aio::{PubSubSink, PubSubStream};
use deadpool_redis::redis::{Client, RedisError, RedisResult, Value};
use futures::stream::{self, BoxStream, Stream, StreamExt};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::failure::too_late;
use super::{RedisStore, news};
use crate::store::{Bus, BusSignal, StoreError};

/// News a listener may be behind before it is told that it lost some.
const BACKLOG: usize = 4096;
const HEARTBEAT: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

#[async_trait]
impl Bus for RedisStore {
    async fn subscribe(&self) -> Result<BoxStream<'static, BusSignal>, StoreError> {
        let bell = self.bell();
        let deadline = Instant::now() + self.patience();
        let mut connected = bell.connected.clone();
        loop {
            let receiver = bell.news.subscribe();
            if *connected.borrow_and_update() {
                return Ok(signals(receiver, connected).boxed());
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
fn signals(
    receiver: broadcast::Receiver<BusSignal>,
    connected: watch::Receiver<bool>,
) -> impl Stream<Item = BusSignal> + Send {
    let heard = stream::unfold((receiver, connected), |(mut receiver, connected)| async {
        let signals = match receiver.recv().await {
            Ok(signal) => vec![signal],
            Err(broadcast::error::RecvError::Lagged(_)) if *connected.borrow() => {
                vec![BusSignal::Lost, BusSignal::Restored]
            }
            Err(broadcast::error::RecvError::Lagged(_)) => vec![BusSignal::Lost],
            Err(broadcast::error::RecvError::Closed) => return None,
        };
        Some((signals, (receiver, connected)))
    });
    heard.flat_map(stream::iter)
}

/// The listening task and its audience.
pub(super) struct Bell {
    news: broadcast::Sender<BusSignal>,
    connected: watch::Receiver<bool>,
    _task: AbortOnDropHandle<()>,
}

impl Bell {
    pub(super) fn hang(client: Client, channel: String, connect_timeout: Duration) -> Self {
        let (connected, is_connected) = watch::channel(false);
        // The task gets a sender of its own and goes with the store, so the listeners' streams end with it.
        let news = broadcast::Sender::new(BACKLOG);
        let ear = Ear { client, channel, connect_timeout, news: news.clone(), connected };
        let task = AbortOnDropHandle::new(tokio::spawn(ear.listen()));
        Self { news, connected: is_connected, _task: task }
    }
}

struct Ear {
    client: Client,
    channel: String,
    connect_timeout: Duration,
    news: broadcast::Sender<BusSignal>,
    connected: watch::Sender<bool>,
}

impl Ear {
    async fn listen(self) {
        let (mut pause, mut was_connected) = (FIRST_PAUSE, false);
        loop {
            match timeout(self.connect_timeout, self.dial()).await {
                Ok(Ok((sink, messages))) => {
                    self.connected.send_replace(true);
                    if was_connected {
                        tracing::info!("listening to redis again");
                        self.tell(BusSignal::Restored);
                    }
                    (pause, was_connected) = (FIRST_PAUSE, true);
                    self.hear(sink, messages).await;
                    tracing::warn!("the connection that listens to redis broke; will try again");
                    self.connected.send_replace(false);
                    self.tell(BusSignal::Lost);
                }
                Ok(Err(error)) => tracing::debug!(%error, "cannot listen to redis; will try again"),
                Err(_) => tracing::debug!("cannot listen to redis in time; will try again"),
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn dial(&self) -> RedisResult<(PubSubSink, PubSubStream)> {
        let (mut sink, messages) = self.client.get_async_pubsub().await?.split();
        sink.subscribe(&self.channel).await?;
        Ok((sink, messages))
    }

    /// Passes messages on until the connection breaks or no longer answers.
    async fn hear(&self, sink: PubSubSink, mut messages: PubSubStream) {
        let reading = async {
            while let Some(message) = messages.next().await {
                if let Some(message) = news::decode(message.get_payload_bytes()) {
                    self.tell(BusSignal::Message(message));
                }
            }
        };
        tokio::select! {
            () = reading => {}
            () = heartbeat(sink) => {}
        }
    }

    /// Nobody listening is fine.
    fn tell(&self, signal: BusSignal) {
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

impl RedisStore {
    fn bell(&self) -> &Bell {
        let inner = &self.inner;
        let hang = || Bell::hang(inner.client.clone(), inner.keys.channel(), inner.connect_timeout);
        Arc::as_ref(inner).bell.get_or_init(hang)
    }
}
