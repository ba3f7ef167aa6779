//! *What time is it?* The store's clock, as this replica knows it from the store's last words.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::Engine;
use crate::session::{Timestamp, millis};
use crate::store::StoreError;

/// A reading that is older than this is not relied on: the two clocks may have drifted apart.
const GOOD_FOR: Duration = Duration::from_secs(10 * 60);

#[derive(Default)]
pub(crate) struct StoreClock(Mutex<Option<Readings>>);

#[derive(Clone, Copy)]
struct Readings {
    last: Reading,
    /// The one that was furthest ahead. A store's clock goes back where another server takes its place.
    furthest: Reading,
}

/// What the store said, and when.
#[derive(Clone, Copy)]
struct Reading {
    told: Timestamp,
    at: Instant,
}

impl Reading {
    /// The time it has become since.
    fn time_at(&self, moment: Instant) -> Timestamp {
        Timestamp(self.told.0.saturating_add(millis(moment.saturating_duration_since(self.at))))
    }
}

impl StoreClock {
    /// Asks the store something whose answer tells the time.
    pub(crate) async fn timed<T>(
        &self,
        asking: impl Future<Output = Result<T, StoreError>>,
        told: impl Fn(&T) -> Timestamp,
    ) -> Result<T, StoreError> {
        let asked_at = Instant::now();
        let answer = asking.await?;
        self.note(Reading { told: told(&answer), at: asked_at + asked_at.elapsed() / 2 });
        Ok(answer)
    }

    fn note(&self, last: Reading) {
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let furthest =
            readings.map(|readings| readings.furthest).filter(|furthest| furthest.time_at(last.at) > last.told);
        *readings = Some(Readings { last, furthest: furthest.unwrap_or(last) });
    }

    /// The store's time by the last reading.
    pub(crate) fn known(&self) -> Option<Timestamp> {
        let last = self.readings()?.last;
        (last.at.elapsed() < GOOD_FOR).then(|| last.time_at(Instant::now()))
    }

    /// The time it would be if the store's clock had never gone back.
    pub(crate) fn latest(&self) -> Option<Timestamp> {
        Some(self.readings()?.furthest.time_at(Instant::now()))
    }

    fn readings(&self) -> Option<Readings> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        let touched = self.store.touch(&[]);
        self.clock.timed(touched, |touched| touched.now).await.map(|touched| touched.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 43_200_000;

    async fn read(clock: &StoreClock, millis: u64) {
        clock.timed(async { Ok(Timestamp(millis)) }, |told| *told).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_goes_back_is_followed_and_how_late_it_was_is_remembered() {
        let clock = StoreClock::default();
        assert_eq!((clock.known(), clock.latest()), (None, None));
        read(&clock, NOON).await;
        tokio::time::advance(Duration::from_secs(60)).await;
        read(&clock, NOON).await;
        assert_eq!((clock.known(), clock.latest()), (Some(Timestamp(NOON)), Some(Timestamp(NOON + 60_000))));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((clock.known(), clock.latest()), (Some(Timestamp(NOON + 1_000)), Some(Timestamp(NOON + 61_000))));
        read(&clock, NOON + 90_000).await;
        assert_eq!((clock.known(), clock.latest()), (Some(Timestamp(NOON + 90_000)), Some(Timestamp(NOON + 90_000))));
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_reading_tells_no_time_and_is_remembered_nevertheless() {
        let clock = StoreClock::default();
        read(&clock, NOON).await;
        tokio::time::advance(GOOD_FOR).await;
        assert_eq!((clock.known(), clock.latest()), (None, Some(Timestamp(NOON + 600_000))));
    }
}
