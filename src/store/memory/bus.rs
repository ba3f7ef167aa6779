//! [`Bus`] in memory.

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::broadcast;

use super::MemoryStore;
use crate::store::{Bus, BusSignal, StoreError};

#[async_trait]
impl Bus for MemoryStore {
    async fn subscribe(&self) -> Result<BoxStream<'static, BusSignal>, StoreError> {
        let receiver = self.shared.news.subscribe();
        let signals = stream::unfold(receiver, |mut receiver| async {
            match receiver.recv().await {
                Ok(message) => Some((vec![BusSignal::Message(message)], receiver)),
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    Some((vec![BusSignal::Lost, BusSignal::Restored], receiver))
                }
                Err(broadcast::error::RecvError::Closed) => None,
            }
        });
        Ok(signals.flat_map(stream::iter).boxed())
    }
}
