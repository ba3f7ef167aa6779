//! Keys change while tokens live: nobody is refused in the overlap, and nothing is accepted after it.

use std::time::{Duration, Instant, SystemTime};

use http::StatusCode;
use serde_json::json;
use tower::Layer;
use tower_mcp_sessions::{RateLimits, ReconnectKeys};

use super::{Door, Holder, REVISION, keys, open_doors};
use crate::harness::backend::{Backend, SharedStore, on_every_backend};
use crate::harness::eventually::{eventually, throughout};
use crate::harness::inner::Scripted;
use crate::harness::raw::{Client, RECONNECT_TOKEN};
use crate::harness::replica::{Replica, layer};
use crate::harness::trio::Trio;

on_every_backend! {
    keys_are_changed_one_replica_after_the_other_and_nobody_is_refused,
    after_its_end_no_token_of_an_old_key_is_accepted,
    the_order_of_keys_decides_who_signs_and_nothing_else,
    a_token_is_handed_out_again_past_half_its_life_and_not_before,
}

const OLD: &[u8] = b"the old secret, which has 32 bytes or so";
const NEW: &[u8] = b"the new secret, which has 32 bytes or so";

fn old() -> ReconnectKeys {
    ReconnectKeys::new("old", OLD).expect("a good key")
}

fn new() -> ReconnectKeys {
    ReconnectKeys::new("new", NEW).expect("a good key")
}

async fn replica(store: &SharedStore, keys: ReconnectKeys) -> Replica {
    let sessions = layer(store).reconnect(keys).rate_limits(RateLimits::off()).build();
    Replica::start(sessions.layer(Scripted::with_sessions())).await
}

fn accepted_for(keys: ReconnectKeys, kid: &str, secret: &[u8], span: Duration) -> ReconnectKeys {
    keys.accept_until(kid, secret, SystemTime::now() + span).expect("a good key")
}

async fn keys_are_changed_one_replica_after_the_other_and_nobody_is_refused(backend: Backend) {
    let store = backend.store().await;
    let hour = Duration::from_secs(3600);
    let steps = [
        old(),
        old().accept("new", NEW).expect("a good key"),
        accepted_for(new(), "old", OLD, hour),
        // Once the last token of the old key has expired.
        new(),
    ];
    let fresh_of_old = &steps[..2];
    for pair in steps.windows(2).take(2) {
        // Some replicas have taken the step, some have not.
        let [before, after] = [pair[0].clone(), pair[1].clone()];
        let replicas =
            [replica(&store, before.clone()).await, replica(&store, after).await, replica(&store, before).await];
        for mints in &replicas {
            for judges in &replicas {
                let holder = Holder::open(&Client::of(mints)).await;
                holder.reconnect(Door::Header, judges).await;
            }
        }
    }
    // A token from the first step is good all through the overlap; after it, none of that key is.
    let first = Holder::open(&Client::of(&replica(&store, fresh_of_old[0].clone()).await)).await;
    let second = Holder::open(&Client::of(&replica(&store, fresh_of_old[1].clone()).await)).await;
    first.reconnect(Door::Header, &replica(&store, steps[2].clone()).await).await;
    let last = replica(&store, steps[3].clone()).await;
    assert_eq!(Door::Header.outcome(&second.knock(Door::Header, &last).await).1, "invalid_token");
}

async fn after_its_end_no_token_of_an_old_key_is_accepted(backend: Backend) {
    let store = backend.store().await;
    let began = Instant::now();
    let overlap = Duration::from_secs(2);
    let keys = accepted_for(new(), "old", OLD, overlap);
    let (before, inner) = (replica(&store, old()).await, Scripted::with_sessions());
    let sessions = layer(&store).reconnect(keys).rate_limits(RateLimits::off()).build();
    let after = Replica::with_monitor(&sessions, &inner).await;
    let mut holders = Vec::new();
    for _ in 0..6 {
        holders.push(Holder::open(&Client::of(&before)).await);
    }
    // Shown for another session: whether the key is accepted can be asked again and again.
    let probe = holders.pop().expect("a holder");
    let other = holders[0].session.key().to_owned();
    let verdict = async || {
        let answer = Door::Api.knock(&Client::of(&after), &other, &probe.token).await;
        Door::Api.outcome(&answer).1
    };
    if verdict().await == "session_id_mismatch" {
        holders.pop().expect("a holder").reconnect(Door::Header, &after).await;
    } else {
        assert!(began.elapsed() >= overlap, "refused while it is accepted");
    }
    eventually("the key is accepted no more", async || verdict().await == "invalid_token").await;
    assert!(began.elapsed() >= overlap, "not before its end");
    for holder in &holders {
        let refused = holder.knock(Door::Header, &after).await;
        assert_eq!(Door::Header.outcome(&refused), (403, "invalid_token".to_owned()));
    }
    assert!(holders[0].session.at(&after).works().await, "the session itself does not mind");
    let token = holders[0].session.at(&after).call("echo", json!({})).await.reconnect_token();
    assert_eq!(token, None, "it was given one of the new key with the answer before");
}

async fn the_order_of_keys_decides_who_signs_and_nothing_else(backend: Backend) {
    let trio = Trio::with_monitor(backend, |at, builder| {
        let keys = if at == 0 { old().accept("new", NEW) } else { new().accept("old", OLD) };
        open_doors(builder).reconnect(keys.expect("good keys"))
    });
    let trio = trio.await;
    for minting in &trio.replicas {
        for door in [Door::Header, Door::Api, Door::Tool] {
            for judging in &trio.replicas {
                let holder = Holder::open(&Client::of(minting)).await;
                holder.reconnect(door, judging).await;
            }
        }
    }
}

async fn a_token_is_handed_out_again_past_half_its_life_and_not_before(backend: Backend) {
    let ttl = Duration::from_secs(4);
    let trio = Trio::with_monitor(backend, |_, builder| open_doors(builder).reconnect(keys().token_ttl(ttl)));
    let trio = trio.await;
    let began = Instant::now();
    let holder = Holder::open(&trio.client()).await;
    let elsewhere = holder.session.at(&trio.replicas[1]);
    let told = async |session: &crate::harness::raw::Session| session.call("echo", json!({})).await.reconnect_token();
    assert!(told(&elsewhere).await.is_some(), "a replica that gave none yet gives one");
    throughout(Duration::from_millis(500), "no second one so soon", async || told(&elsewhere).await.is_none()).await;

    let mut newest = None;
    eventually("another token comes", async || {
        newest = told(&holder.session).await;
        newest.is_some()
    })
    .await;
    assert!(began.elapsed() >= ttl / 2, "after {:?}", began.elapsed());
    assert!(told(&holder.session).await.is_none(), "once");

    // The first one, of the same generation, is good as well; whichever is used first, the other is spent with it.
    let newest = newest.expect("a token");
    assert_ne!(newest, holder.token);
    let client = holder.stranger(&trio.replicas[2]);
    let answer = client.with(RECONNECT_TOKEN, &newest).post(&crate::harness::raw::initialize(REVISION)).await;
    assert_eq!(answer.status, StatusCode::OK);
    let spent = holder.knock(Door::Header, &trio.replicas[1]).await;
    assert_eq!(spent.status, StatusCode::CONFLICT, "{}", spent.text());
}
