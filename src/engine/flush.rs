//! Telling the store which sessions are in use: in batches, every [`INTERVAL`], whatever the number of requests.
//!
//! A touch carries the *age* of the activity, so that a late flush neither loses nor invents time.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use crate::engine::Engine;
use crate::engine::resident::Resident;
use crate::engine::shared_inner::AFTER_WHO_ENDED;
use crate::store::{Revival, StoreError, Touch, TouchOutcome};
use crate::telemetry::metrics;

/// How long activity may be untold. The sweep waits at least this long past a deadline.
pub(crate) const INTERVAL: Duration = Duration::from_millis(250);
/// Sessions told of in one operation.
const BATCH: usize = 256;

pub(crate) async fn run(engine: Weak<Engine>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut retouched = Instant::now();
    loop {
        ticks.tick().await;
        let Some(engine) = engine.upgrade() else { return };
        if retouched.elapsed() >= engine.residents.retouch_interval() {
            engine.retouch_held();
            engine.release_unused();
            retouched = Instant::now();
        }
        engine.flush().await;
    }
}

impl Engine {
    /// Tells the store of all activity so far, and what else it should know. What cannot be told is kept for the next time.
    pub(crate) async fn flush(&self) {
        let _telling = self.telling.lock().await;
        self.tell().await;
    }

    /// The same for who holds [`telling`](Self::telling) already.
    pub(super) async fn tell(&self) {
        let untold = self.residents.untold.take();
        for batch in untold.chunks(BATCH) {
            let touches: Vec<Touch> = batch.iter().map(|resident| resident.take_untold()).collect();
            if let Err(error) = self.flush_batch(batch, &touches).await {
                tracing::debug!(%error, sessions = batch.len(), "activity could not be told to the store; trying again");
                self.put_back(batch, &touches);
            }
        }
        self.tell_asides().await;
    }

    async fn flush_batch(&self, batch: &[Arc<Resident>], touches: &[Touch]) -> Result<(), StoreError> {
        let touched = self.clock.timed(self.store.touch(touches), |touched| touched.now).await?;
        for (resident, outcome) in batch.iter().zip(touched.outcomes) {
            match outcome {
                TouchOutcome::Active => {}
                TouchOutcome::Disconnected => self.used_while_disconnected(resident).await?,
                TouchOutcome::Superseded => self.superseded(resident).await?,
                TouchOutcome::Gone => self.forget_resident(resident, Some(AFTER_WHO_ENDED)),
            }
        }
        Ok(())
    }

    /// The session was swept while this replica, for up to the age of its verdict, still served it.
    async fn used_while_disconnected(&self, resident: &Resident) -> Result<(), StoreError> {
        resident.set_verdict(None);
        let returning = resident.revives() && resident.idle_for() < resident.idle_timeout();
        // A session in use was never idle, whatever the store thinks: nobody returns who never left.
        if (resident.in_use() || returning)
            && let Revival::Revived { gap } =
                self.store.revive(&resident.key, resident.generation, &self.config.replica).await?
        {
            metrics::session_reconnected("return");
            tracing::info!(session = %resident.key, gap_ms = gap.as_millis(), "session_reconnected: it was still in use");
        }
        Ok(())
    }

    fn put_back(&self, batch: &[Arc<Resident>], touches: &[Touch]) {
        for (resident, _) in batch.iter().zip(touches).filter(|(resident, touch)| resident.put_back(touch)) {
            self.residents.untold.push(Arc::clone(resident));
        }
    }

    /// A request or stream that lasts keeps its session active.
    fn retouch_held(&self) {
        for resident in self.residents.all().into_iter().filter(|resident| resident.is_to_be_retouched()) {
            drop(self.residents.lease(resident));
        }
    }

    /// Queues every resident, in use or not: the store's answer tells which have ended.
    pub(crate) fn retouch_all(&self) {
        for resident in self.residents.all().into_iter().filter(|resident| resident.tell_again()) {
            self.residents.untold.push(resident);
        }
    }

    /// Lets go of sessions that nobody used here for the idle timeout: they live on in the store. An inner service that still
    /// waits for an answer is kept: its client may be there, on another replica.
    fn release_unused(&self) {
        let unused = |resident: &Arc<Resident>| resident.idle_for() > self.config.lifetimes.idle_timeout;
        for resident in self.residents.all().into_iter().filter(unused) {
            if !self.questions.is_owed(&resident.key) && resident.retire() {
                self.release(&resident);
            }
        }
    }
}
