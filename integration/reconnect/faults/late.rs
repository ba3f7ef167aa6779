//! An attempt that its client has given up is still on its way, and arrives after the one that was answered. It takes nothing
//! away: neither the id in the client's hand nor the session.

use super::super::deployment::Deployment;
use super::{DOORS, THE_CLIENT, Unlucky};
use crate::harness::gate::{Gate, Held};
use crate::harness::redis::RedisServer;

#[tokio::test]
async fn an_attempt_that_comes_late_takes_nothing_away() {
    let redis = RedisServer::start();
    let gate = Gate::to(redis.port()).await;
    let stores = [gate.url(), redis.url(), redis.url()];
    let mut unlucky = Unlucky::on(Deployment::with_stores(redis, stores).await).await;
    for (first, second) in DOORS.into_iter().flat_map(|first| DOORS.map(|second| (first, second))) {
        let what = format!("{first:?} overtaken by {second:?}");
        let [slow, quick, _] = unlucky.deployment.addresses;
        unlucky.prepare(&what).await;
        let key = unlucky.holder.session.key().to_owned();
        gate.hold(&[&key, THE_CLIENT], Held::Command);
        let nonce = unlucky.nonce();
        tokio::select! {
            _ = unlucky.holder.try_once(first, slow, &nonce) => panic!("{what}: it was to wait"),
            () = gate.is_holding() => {}
        }
        let answer = unlucky.try_again(second, quick, &what).await;
        unlucky.is_back(second, &answer, &what).await;
        let held_by = unlucky.deployment.holder_of(&key);

        gate.deliver().await;

        assert_eq!(unlucky.deployment.holder_of(&key), held_by, "{what}");
        assert_eq!(unlucky.deployment.generation(&key), unlucky.attempts, "{what}");
        assert_eq!(unlucky.deployment.statuses(&unlucky.holder.session.id).await, [200; 3], "{what}");
    }
}
