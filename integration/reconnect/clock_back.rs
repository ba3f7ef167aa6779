//! The store's clock goes back, as where a replica whose clock is behind takes the place of a Redis: tokens go on being good, and
//! end when they would have ended, also where a server starts only then.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use tower::Layer;

use super::forge::Forged;
use super::{Door, Holder, trio};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::replica::{Replica, layer};
use crate::harness::trio::Trio;

on_every_backend! {
    tokens_from_before_are_good_at_every_door_and_so_are_new_ones,
    a_server_that_starts_later_takes_them_too,
    what_had_ended_stays_so_and_what_nobody_has_seen_is_not_believed,
}

/// Longer than a token lives.
const AN_HOUR: Duration = Duration::from_secs(3_600);

/// Seconds since 1970, by the clock as it was.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than that").as_secs()
}

/// A server without a monitor that has never asked the store before.
async fn newcomer(trio: &Trio) -> Replica {
    let late = super::open_doors(layer(&trio.store)).build();
    Replica::start(late.layer(trio.inners[0].clone())).await
}

fn issued_at(holder: &Holder) -> u64 {
    Forged::of(&holder.token).claims["iat"].as_u64().expect("seconds")
}

async fn tokens_from_before_are_good_at_every_door_and_so_are_new_ones(backend: Backend) {
    let trio = trio(backend).await;
    let mut holders = Vec::new();
    for (number, door) in Door::ALL.into_iter().chain(Door::ALL).chain(Door::ALL).enumerate() {
        holders.push((Holder::open(&trio.client().at(&trio.replicas[number % 3])).await, door));
    }
    trio.store.turn_clock_back(AN_HOUR);
    for (number, (holder, door)) in holders.into_iter().enumerate() {
        let back = holder.reconnect(door, &trio.replicas[(number + number / 4) % 3]).await;
        assert!(issued_at(&back) < issued_at(&holder) - 3_000, "new ones go by the clock as it is now");
        back.reconnect(door, &trio.replicas[(number + 1) % 3]).await;
        let spent = holder.knock(door, &trio.replicas[0]).await;
        assert_eq!(door.outcome(&spent), (409, "token_mismatch".to_owned()));
    }
}

async fn a_server_that_starts_later_takes_them_too(backend: Backend) {
    let trio = trio(backend).await;
    let (one, other) = (Holder::open(&trio.client()).await, Holder::open(&trio.client()).await);
    trio.store.turn_clock_back(AN_HOUR);
    let late = newcomer(&trio).await;
    let back = one.reconnect(Door::Header, &late).await;
    back.reconnect(Door::Api, &trio.replicas[1]).await.reconnect(Door::Meta, &late).await;
    other.reconnect(Door::Tool, &trio.replicas[2]).await.reconnect(Door::Header, &late).await;
}

async fn what_had_ended_stays_so_and_what_nobody_has_seen_is_not_believed(backend: Backend) {
    let trio = trio(backend).await;
    let holder = Holder::open(&trio.client()).await;
    let good = Forged::of(&holder.token);
    let from_to = |iat, exp| good.clone().claim("iat", json!(iat)).claim("exp", json!(exp)).signed();
    let ended = from_to(now() - 1_000, now() - 100);
    let to_come = from_to(now() + 60, now() + 960);
    trio.store.turn_clock_back(AN_HOUR);
    let late = newcomer(&trio).await;
    for (token, outcome) in [(&ended, "token_expired"), (&to_come, "invalid_token")] {
        for replica in trio.replicas.iter().chain([&late]) {
            let refused = Door::Header.knock(&holder.stranger(replica), "", token).await;
            assert_eq!(Door::Header.outcome(&refused), (403, outcome.to_owned()));
        }
    }
    assert_eq!(holder.reconnect(Door::Header, &late).await.statuses(&trio).await, [200; 3]);
}
