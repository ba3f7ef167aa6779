//! The replica is killed while it deals with the token, at every point where that makes a difference, at every door.

use super::super::deployment::Deployment;
use super::{DOORS, THE_CLIENT, Unlucky};
use crate::harness::eventually::eventually;
use crate::harness::gate::{Gate, Held};
use crate::harness::redis::RedisServer;
use crate::harness::size::size;

/// When a replica dies.
#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    /// It has begun to ask Redis about the session.
    Asking,
    /// It is about to give the session away, and has not.
    BeforeCommit,
    /// It has given the session away, and does not know yet.
    AfterCommit,
}

impl When {
    const ALL: [Self; 3] = [Self::Asking, Self::BeforeCommit, Self::AfterCommit];

    fn hold(self, gate: &Gate, key: &str) {
        match self {
            Self::Asking => gate.hold(&[key], Held::Command),
            Self::BeforeCommit => gate.hold(&[key, THE_CLIENT], Held::Command),
            Self::AfterCommit => gate.hold(&[key, THE_CLIENT], Held::Answer),
        }
    }
}

#[tokio::test]
async fn wherever_the_replica_is_killed_the_second_try_succeeds() {
    let redis = RedisServer::start();
    let gates = [Gate::to(redis.port()).await, Gate::to(redis.port()).await, Gate::to(redis.port()).await];
    let mut unlucky = Unlucky::on(Deployment::with_stores(redis, gates.each_ref().map(Gate::url)).await).await;
    let rounds = size(2, 20);
    for round in 0..rounds {
        for (at, (when, door)) in When::ALL.into_iter().flat_map(|when| DOORS.map(|door| (when, door))).enumerate() {
            let what = format!("{when:?} at {door:?}");
            let (dying, next) = ((at + round) % 3, (at + round + 1) % 3);
            unlucky.prepare(&what).await;
            let (key, before) = (unlucky.holder.session.key().to_owned(), unlucky.attempts - 1);
            when.hold(&gates[dying], &key);
            let (holder, nonce) = (unlucky.holder.clone(), unlucky.nonce());
            let deployment = &mut unlucky.deployment;
            let attempt = holder.try_once(door, deployment.addresses[dying], &nonce);
            let killing = async {
                gates[dying].is_holding().await;
                let committed = before + u64::from(when == When::AfterCommit);
                eventually("Redis is where it should be", async || deployment.generation(&key) == committed).await;
                deployment.kill(dying).await;
                assert_eq!(deployment.generation(&key), committed, "{what}");
            };
            let (lost, ()) = tokio::join!(attempt, killing);
            assert!(lost.is_none(), "{what}: the answer was to be lost");
            gates[dying].lose();
            let answer = unlucky.try_again(door, unlucky.deployment.addresses[next], &what).await;
            unlucky.deployment.restart(dying).await;
            unlucky.is_back(door, &answer, &what).await;
        }
    }
    println!("{} replicas killed, and as many clients back with their second try", rounds * 9);
}
