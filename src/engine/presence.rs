//! *Does the replica still run that somebody waits for?* Every replica says each second that it does.

use std::sync::Weak;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, sleep};

use crate::engine::Engine;
use crate::store::ReplicaId;

/// How often a replica says that it runs.
const INTERVAL: Duration = Duration::from_millis(750);
/// How long its word is good.
const GOOD_FOR: Duration = Duration::from_secs(3);
/// How long a replica has to be absent to be given up: after an outage of the store every replica has to say it again first.
pub(crate) const GIVEN_UP_AFTER: Duration = Duration::from_secs(2);
/// How often an absent one is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

pub(crate) async fn run(engine: Weak<Engine>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(engine) = engine.upgrade() else { return };
        if let Err(error) = engine.store.announce(&engine.replica_id, GOOD_FOR).await {
            tracing::debug!(%error, "this replica's presence could not be told to the store; trying again");
        }
    }
}

impl Engine {
    /// Whether a replica is gone for good. Takes up to [`GIVEN_UP_AFTER`] to say yes; a store that cannot say means no.
    pub(crate) async fn is_gone(&self, replica: &ReplicaId) -> bool {
        if *replica == self.replica_id {
            return false;
        }
        let asked_at = Instant::now();
        loop {
            match self.store.is_present(replica).await {
                Ok(true) | Err(_) => return false,
                Ok(false) if asked_at.elapsed() >= GIVEN_UP_AFTER => return true,
                Ok(false) => sleep(LOOK_AGAIN).await,
            }
        }
    }
}
