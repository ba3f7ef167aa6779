//! Of all who show the same token at the same moment exactly one gets the session; and that one may ask again.

use futures::future::join_all;
use http::StatusCode;
use serde_json::json;

use super::{Door, Holder, NONCE_MEMBER, TOKEN_MEMBER, trio};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::raw::{RECONNECT_NONCE, Whole, initialize};
use crate::harness::replica::Replica;
use crate::harness::size::size;
use crate::harness::trio::Trio;

on_every_backend! {
    of_fifty_who_show_one_token_at_once_one_wins,
    the_winner_may_ask_again_with_its_nonce,
    nobody_else_is_helped_by_a_nonce,
    another_token_of_the_same_holder_is_no_retry,
}

const CROWD: usize = 50;

async fn of_fifty_who_show_one_token_at_once_one_wins(backend: Backend) {
    let trio = trio(backend).await;
    let mut holder = Holder::open(&trio.client()).await;
    let rounds = size(20, 1_000);
    for round in 0..rounds {
        let attempts = (0..CROWD).map(|number| {
            let door = [Door::Header, Door::Api, Door::Header, Door::Meta][number % 4];
            let (holder, replica) = (&holder, &trio.replicas[(number + round) % 3]);
            async move { (door, replica, holder.knock(door, replica).await) }
        });
        let (winners, losers): (Vec<_>, Vec<_>) =
            join_all(attempts).await.into_iter().partition(|(_, _, answer)| answer.status == StatusCode::OK);
        assert_eq!(winners.len(), 1, "round {round}");
        for (door, _, answer) in &losers {
            assert_eq!(door.outcome(answer), (409, "token_mismatch".to_owned()), "round {round}");
        }
        let (door, replica, answer) = &winners[0];
        let next = Holder::accepted(&holder.stranger(replica), *door, answer).await;
        assert_eq!(next.statuses(&trio).await, [200; 3], "the winner's id is good everywhere");
        holder = next;
    }
    println!("{rounds} winners, {} losers", rounds * (CROWD - 1));
    eventually("losers leave no inner session", async || trio.inners.iter().all(|inner| inner.sessions() == 1)).await;
    assert_eq!(trio.store.counts().await, (1, 0));
}

/// Shows the token with a nonce.
async fn with_nonce(holder: &Holder, door: Door, replica: &Replica, nonce: &str) -> Whole {
    let client = holder.stranger(replica);
    if door == Door::Meta {
        let mut message = initialize("2025-11-25");
        message["params"]["_meta"] = json!({ TOKEN_MEMBER: holder.token, NONCE_MEMBER: nonce });
        return client.post(&message).await.whole().await;
    }
    door.knock(&client.with(RECONNECT_NONCE, nonce), holder.session.key(), &holder.token).await
}

async fn assert_lost(trio: &Trio, holder: &Holder, nonce: Option<&str>) {
    for (door, replica) in [Door::Header, Door::Meta, Door::Api].into_iter().zip(&trio.replicas) {
        let answer = match nonce {
            Some(nonce) => with_nonce(holder, door, replica, nonce).await,
            None => holder.knock(door, replica).await,
        };
        assert_eq!(door.outcome(&answer), (409, "token_mismatch".to_owned()), "{door:?} {nonce:?}");
    }
}

async fn the_winner_may_ask_again_with_its_nonce(backend: Backend) {
    let trio = trio(backend).await;
    let mut holder = Holder::open(&trio.client()).await;
    for (first, generation) in [(Door::Header, 1), (Door::Meta, 3), (Door::Api, 5)] {
        let answer = with_nonce(&holder, first, &trio.replicas[0], "mine").await;
        let mut newest = Holder::accepted(&holder.stranger(&trio.replicas[0]), first, &answer).await;
        for (door, replica) in [Door::Api, Door::Header, Door::Meta].into_iter().zip(&trio.replicas) {
            let answer = with_nonce(&holder, door, replica, "mine").await;
            if door == Door::Api {
                assert_eq!(answer.json()["reconnect_count"], generation, "the same generation");
            }
            let again = Holder::accepted(&holder.stranger(replica), door, &answer).await;
            assert!(again.session.id == newest.session.id, "the same id, in whichever order the answers come");
            assert_eq!(again.statuses(&trio).await, [200; 3], "{first:?}, then {door:?}");
            newest = again;
        }
        assert_lost(&trio, &holder, None).await;
        assert_lost(&trio, &holder, Some("another")).await;
        // The next generation begins with a token of this one, whichever answer it came with; then no retry is left.
        let next = newest.reconnect(Door::Api, &trio.replicas[1]).await;
        assert_lost(&trio, &holder, Some("mine")).await;
        assert_lost(&trio, &newest, None).await;
        holder = next;
    }
}

async fn nobody_else_is_helped_by_a_nonce(backend: Backend) {
    let trio = trio(backend).await;
    let holder = Holder::open(&trio.client().with("x-user", "alice")).await;
    // Won without a nonce: nobody can retry, whatever nonce comes.
    let second = holder.reconnect(Door::Header, &trio.replicas[0]).await;
    for nonce in ["", "mine", "0"] {
        assert_lost(&trio, &holder, Some(nonce)).await;
    }
    // Won with one: a stranger who knows token and nonce is a stranger.
    let answer = with_nonce(&second, Door::Header, &trio.replicas[1], "mine").await;
    let third = Holder::accepted(&second.stranger(&trio.replicas[1]), Door::Header, &answer).await;
    let mallory = second.stranger(&trio.replicas[2]).with("x-user", "mallory").with(RECONNECT_NONCE, "mine");
    for door in [Door::Header, Door::Api] {
        let refused = door.knock(&mallory, third.session.key(), &second.token).await;
        assert_eq!(door.outcome(&refused), (404, "session_not_found".to_owned()));
    }
    assert_eq!(third.statuses(&trio).await, [200; 3]);
    // The tool knows no nonce: it has no retry.
    let tool = second.stranger(&trio.replicas[0]).with(RECONNECT_NONCE, "mine");
    let refused = Door::Tool.knock(&tool, third.session.key(), &second.token).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
}

/// Each replica hands a token out; a client that always sends the same nonce does not take its session from itself.
async fn another_token_of_the_same_holder_is_no_retry(backend: Backend) {
    let trio = trio(backend).await;
    let holder = Holder::open(&trio.client()).await;
    let elsewhere = holder.session.at(&trio.replicas[1]).call("echo", json!({ "text": "hello" })).await;
    let token = elsewhere.reconnect_token().expect("the first answer of a replica has one");
    assert_ne!(token, holder.token);
    let other = Holder { token, ..holder.clone() };
    let answer = with_nonce(&holder, Door::Header, &trio.replicas[0], "always").await;
    let winner = Holder::accepted(&holder.stranger(&trio.replicas[0]), Door::Header, &answer).await;
    assert_lost(&trio, &other, Some("always")).await;
    assert_eq!(winner.statuses(&trio).await, [200; 3], "the winner keeps its id");
    let again = with_nonce(&holder, Door::Header, &trio.replicas[1], "always").await;
    assert_eq!(again.status, StatusCode::OK, "and may ask again with its own token");
}
