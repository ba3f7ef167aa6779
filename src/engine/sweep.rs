//! Noticing what is due, by the lifetimes that each session has. Every replica that serves sessions sweeps, nobody who only
//! watches; the store sees to it that each transition happens once.

use std::sync::Weak;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::engine::{Engine, flush};
use crate::store::{StoreError, Swept};
use crate::telemetry::metrics;

/// How often to look.
const INTERVAL: Duration = Duration::from_millis(250);
/// A session that was used in time may be told of a flush later: wait for that before calling anything due. Together with
/// [`INTERVAL`] this keeps a deadline at most one second late.
const GRACE: Duration = Duration::from_millis(150).saturating_add(flush::INTERVAL);
/// Sessions handled in one operation, about.
const LIMIT: usize = 256;

pub(crate) async fn run(engine: Weak<Engine>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut reachable = true;
    loop {
        ticks.tick().await;
        let Some(engine) = engine.upgrade() else { return };
        if !engine.serves() {
            continue;
        }
        if reachable {
            reachable = engine.sweep().await.is_ok();
        } else {
            reachable = engine.store.census().await.is_ok();
            drop(engine);
            // First every replica tells what was in use while the store was away.
            tokio::time::sleep(GRACE).await;
        }
    }
}

impl Engine {
    async fn sweep(&self) -> Result<(), StoreError> {
        loop {
            match self.store.sweep(GRACE, LIMIT).await {
                Ok(swept) => {
                    self.report(&swept);
                    if !swept.more {
                        return Ok(());
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "the sweep failed; trying again");
                    return Err(error);
                }
            }
        }
    }

    fn report(&self, swept: &Swept) {
        for key in &swept.disconnected {
            metrics::session_disconnected();
            tracing::info!(session = %key, reason = "idle_timeout", "session_disconnected");
        }
        for (key, reason) in &swept.ended {
            metrics::session_ended(*reason);
            tracing::info!(session = %key, %reason, "session_terminated");
            if self.shares_inner() {
                self.say_goodbye_without_head(key);
            }
        }
    }
}
