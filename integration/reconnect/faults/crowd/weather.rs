//! What goes wrong in the meantime: connections are cut, and replicas are killed and come back, by a seeded chance.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use crate::harness::cutting::{Cut, CuttingProxy};
use crate::harness::random::Random;
use crate::reconnect::deployment::Deployment;

/// Of a hundred connections, how many are cut.
const CUT_PERCENT: u64 = 15;

/// The network in front of all replicas.
pub(super) struct Weather {
    proxy: CuttingProxy,
    is_bad: Arc<AtomicBool>,
}

impl Weather {
    /// Fine at first.
    pub(super) async fn over(deployment: &Deployment, seed: u64) -> Self {
        let is_bad = Arc::<AtomicBool>::default();
        let (bad, mut random) = (Arc::clone(&is_bad), Random::seeded(seed));
        let plan = move || {
            let cuts = bad.load(Ordering::Relaxed) && random.below(100) < CUT_PERCENT;
            if cuts { random.one_of(&Cut::ALL) } else { Cut::Never }
        };
        Self { proxy: CuttingProxy::over(deployment.addresses, plan).await, is_bad }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.proxy.address
    }

    /// From now on connections are cut.
    pub(super) fn cloud_over(&self) {
        self.is_bad.store(true, Ordering::Relaxed);
    }

    /// No more. Returns how many were.
    pub(super) fn clear_up(&self) -> usize {
        self.is_bad.store(false, Ordering::Relaxed);
        self.proxy.cuts()
    }
}

/// Kills one replica after the other and starts it again, until `work` is done. All are up at the end. Returns what came of the
/// work, and how many were killed.
pub(super) async fn storm<T>(deployment: &mut Deployment, seed: u64, work: impl Future<Output = T>) -> (T, usize) {
    let (mut random, mut kills, mut work) = (Random::seeded(seed), 0, Box::pin(work));
    loop {
        let lull = Duration::from_millis(100 + random.below(300));
        tokio::select! {
            done = &mut work => return (done, kills),
            () = sleep(lull) => {}
        }
        let (unlucky, down) = (random.one_of(&[0, 1, 2]), Duration::from_millis(random.below(300)));
        let strike = async {
            deployment.kill(unlucky).await;
            sleep(down).await;
            deployment.restart(unlucky).await;
        };
        kills += 1;
        tokio::pin!(strike);
        tokio::select! {
            () = &mut strike => {}
            done = &mut work => {
                strike.await;
                return (done, kills);
            }
        }
    }
}
