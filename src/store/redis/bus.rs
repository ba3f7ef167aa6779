//! [`Bus`] on Redis: a channel that the scripts publish to.

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};

use super::bell::{Bell, Line, Signal};
use super::{RedisStore, news};
use crate::store::{Bus, BusMessage, BusSignal, StoreError};

#[async_trait]
impl Bus for RedisStore {
    async fn subscribe(&self) -> Result<BoxStream<'static, BusSignal>, StoreError> {
        let signals = self.inner.bus.get_or_init(|| self.hang_bus()).listen(self.patience()).await?;
        Ok(signals.map(BusSignal::from).boxed())
    }
}

impl RedisStore {
    fn hang_bus(&self) -> Bell<BusMessage> {
        let client = self.inner.client.clone();
        let connect_timeout = self.inner.connect_timeout;
        Bell::hang(Line { client, channel: self.keys().channel(), connect_timeout, decode: news::decode })
    }
}

impl From<Signal<BusMessage>> for BusSignal {
    fn from(signal: Signal<BusMessage>) -> Self {
        match signal {
            Signal::Message(message) => Self::Message(message),
            Signal::Lost => Self::Lost,
            Signal::Restored => Self::Restored,
        }
    }
}
