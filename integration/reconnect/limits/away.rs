//! While the store cannot count, each replica counts by itself and permits a quarter; when the store is back it counts again.

use tower_mcp_sessions::{RateLimits, ReconnectOutcome as O};

use super::super::{Door, Holder, REVISION};
use super::{ONE, OTHER, at_most, from, limited, limited_on, retry_after};
use crate::harness::backend::{Backend, in_redis, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::raw::initialize;
use crate::harness::trio::Trio;

on_every_backend! {
    without_the_store_each_replica_permits_a_quarter,
    without_the_store_nothing_is_opened_and_a_flood_is_refused,
}

/// Attempts at every replica until each refuses for the limit; how many they let through, which cannot be judged.
async fn exhaust(trio: &Trio, holder: &Holder) -> [usize; 3] {
    let mut permitted = [0; 3];
    for (permitted, replica) in permitted.iter_mut().zip(&trio.replicas) {
        for door in Door::ALL[..3].iter().cycle().take(20) {
            let answer = holder.knock(*door, replica).await;
            match answer.status.as_u16() {
                503 => *permitted += 1,
                429 => {
                    assert_eq!(door.outcome(&answer).1, "rate_limited");
                    assert!(retry_after(&answer).is_some_and(|seconds| (1..=600).contains(&seconds)));
                    break;
                }
                other => panic!("{other}: {}", answer.text()),
            }
        }
    }
    permitted
}

async fn without_the_store_each_replica_permits_a_quarter(backend: Backend) {
    let limits = RateLimits { reconnects_per_address: at_most(8), ..RateLimits::off() };
    let (trio, told) = limited(backend, limits).await;
    let holder = Holder::open(&from(&trio.client(), ONE)).await;
    trio.store.set_down(true);
    assert_eq!(exhaust(&trio, &holder).await, [2; 3]);
    let attempts = told.take();
    assert_eq!(attempts.iter().filter(|told| told.outcome == O::RateLimited).count(), 3);
    assert!(attempts.iter().all(|told| told.session.is_none()), "no signature was checked");
    let elsewhere = from(&holder.stranger(&trio.replicas[0]), OTHER);
    assert_eq!(Door::Api.knock(&elsewhere, holder.session.key(), &holder.token).await.status, 503);
    trio.store.set_down(false);
    let mut holder = holder;
    for number in 0..8 {
        holder = holder.reconnect(Door::Api, &trio.replicas[number % 3]).await;
    }
    let refused = holder.knock(Door::Api, &trio.replicas[0]).await;
    assert_eq!(Door::Api.outcome(&refused), (429, "rate_limited".to_owned()), "the store counts again");
}

async fn without_the_store_nothing_is_opened_and_a_flood_is_refused(backend: Backend) {
    let limits = RateLimits { opens_per_address: at_most(8), ..RateLimits::off() };
    let (trio, _) = limited(backend, limits).await;
    let client = from(&trio.client(), ONE);
    trio.store.set_down(true);
    for (replica, inner) in trio.replicas.iter().zip(&trio.inners) {
        let mut statuses = Vec::new();
        for _ in 0..4 {
            statuses.push(client.at(replica).post(&initialize(REVISION)).await.status.as_u16());
        }
        assert_eq!(statuses, [503, 503, 429, 429]);
        assert_eq!(inner.asked("initialize"), 2, "what is refused for the limit is not handed on");
        eventually("no inner session is left", async || inner.sessions() == 0).await;
    }
    trio.store.set_down(false);
    assert_eq!(trio.store.counts().await, (0, 0));
    for replica in &trio.replicas {
        assert!(client.at(replica).open(REVISION).await.works().await);
    }
}

/// The same with a Redis that is silent: what it was asked in vain it may count later, but nobody waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_redis_is_not_waited_for_by_the_limits() {
    let limits = RateLimits { reconnects_per_address: at_most(4), ..RateLimits::off() };
    let (trio, _) = limited_on(in_redis(|hasty| hasty).await, limits).await;
    let holder = Holder::open(&from(&trio.client(), ONE)).await;
    let redis = trio.store.redis().expect("a Redis");
    redis.pause();
    let permitted = exhaust(&trio, &holder).await;
    redis.resume();
    assert_eq!(permitted, [1; 3]);
    let elsewhere = from(&holder.stranger(&trio.replicas[1]), OTHER);
    eventually("the store answers again", async || holder.session.works().await).await;
    let answer = Door::Header.knock(&elsewhere, holder.session.key(), &holder.token).await;
    Holder::accepted(&elsewhere, Door::Header, &answer).await;
}
