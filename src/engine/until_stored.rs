//! *What if the store is away when something is over?* What it has to be told then is told again until it is heard: nobody else
//! would ever say it.

use std::sync::{Arc, Weak};

use futures::future::BoxFuture;
use tokio::time::sleep;

use crate::engine::Engine;
use crate::engine::backoff::Backoff;
use crate::store::{Store, StoreError};

impl Engine {
    /// Tells the store in the background, once at least and again until it is heard, or the engine is gone.
    pub(crate) fn tell_until_stored(
        &self,
        operation: impl Fn(Arc<dyn Store>) -> BoxFuture<'static, Result<(), StoreError>> + Send + 'static,
    ) {
        let (engine, mut store) = (Weak::clone(&self.itself), Arc::clone(&self.store));
        tokio::spawn(async move {
            let mut backoff = Backoff::default();
            while let Err(error) = operation(store).await {
                tracing::debug!(%error, "the store could not be told that something is over; trying again");
                sleep(backoff.pause()).await;
                let Some(engine) = engine.upgrade() else { return };
                store = Arc::clone(&engine.store);
            }
        });
    }
}
