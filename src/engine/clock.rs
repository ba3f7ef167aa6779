//! *What time is it?* The store's clock, as this replica knows it from the store's last words.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::Engine;
use crate::session::Timestamp;
use crate::store::StoreError;

/// A reading that is older than this is not relied on: the two clocks may have drifted apart.
const GOOD_FOR: Duration = Duration::from_secs(10 * 60);

#[derive(Default)]
pub(crate) struct StoreClock(Mutex<Option<(Timestamp, Instant)>>);

impl StoreClock {
    /// Asks the store something whose answer tells the time.
    pub(crate) async fn timed<T>(
        &self,
        asking: impl Future<Output = Result<T, StoreError>>,
        told: impl Fn(&T) -> Timestamp,
    ) -> Result<T, StoreError> {
        let asked_at = Instant::now();
        let answer = asking.await?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((told(&answer), asked_at + asked_at.elapsed() / 2));
        Ok(answer)
    }

    /// The store's time by the last reading.
    pub(crate) fn known(&self) -> Option<Timestamp> {
        let (at, read_at) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        let since = read_at.elapsed();
        (since < GOOD_FOR).then(|| Timestamp(at.0 + u64::try_from(since.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl Engine {
    /// The store's time, good to the time an answer of the store's takes.
    pub(crate) async fn now(&self) -> Result<Timestamp, StoreError> {
        match self.clock.known() {
            Some(now) => Ok(now),
            None => self.ask_the_time().await,
        }
    }

    /// The store's time, asked for now: what all replicas agree on.
    pub(crate) async fn ask_the_time(&self) -> Result<Timestamp, StoreError> {
        let touched = self.store.touch(&[], &self.config.lifetimes);
        self.clock.timed(touched, |touched| touched.now).await.map(|touched| touched.now)
    }
}
