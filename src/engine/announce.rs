//! *Do all processes mean the same?* One that opens sessions says which lifetimes it gives them, when it starts and every hour, and
//! compares them with what was said last. Nothing depends on it: each session has its own.

use std::sync::Weak;
use std::time::Duration;

use crate::engine::Engine;
use crate::store::StoreError;

const EVERY: Duration = Duration::from_secs(60 * 60);
/// How long to wait before saying it again to a store that did not hear.
const PAUSE: Duration = Duration::from_secs(1);

pub(crate) async fn run(engine: Weak<Engine>) {
    loop {
        let Some(strong) = engine.upgrade() else { return };
        let serving = strong.serving.subscribe();
        let is_serving = *serving.borrow();
        let told = match is_serving {
            true => Some(strong.announce_lifetimes().await),
            false => None,
        };
        drop(strong);
        match told {
            Some(Ok(())) => tokio::time::sleep(EVERY).await,
            Some(Err(error)) => {
                tracing::debug!(%error, "the lifetimes could not be announced; trying again");
                tokio::time::sleep(PAUSE).await;
            }
            None => until_serving(serving).await,
        }
    }
}

async fn until_serving(mut serving: tokio::sync::watch::Receiver<bool>) {
    // An error says that the engine is gone, which the next round finds.
    let _ = serving.wait_for(|serves| *serves).await;
}

impl Engine {
    /// A service has been made that opens sessions.
    pub(crate) fn begin_serving(&self) {
        self.serving.send_if_modified(|serves| !std::mem::replace(serves, true));
    }

    /// Whether this process serves sessions, or only watches those of others.
    pub(crate) fn serves(&self) -> bool {
        *self.serving.borrow()
    }

    async fn announce_lifetimes(&self) -> Result<(), StoreError> {
        let own = self.config.lifetimes;
        let before = self.store.announce_lifetimes(&own).await?;
        let differences = before.map(|before| own.differences(&before)).unwrap_or_default();
        if !differences.is_empty() {
            tracing::warn!(
                differences = differences.join(", "),
                "another process on this store gives its sessions other lifetimes; each session keeps those it was opened with, \
                 until a process applies its own to all of them (SessionLayer::apply_lifetimes, --apply-lifetimes)"
            );
        }
        Ok(())
    }
}
