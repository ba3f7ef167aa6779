//! Attempts to reconnect are counted in the store: by address before anything of the token is believed, by principal once it is,
//! and by session where the token is its newest one.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use http::StatusCode;
use serde_json::json;
use tokio::time::sleep;
use tower_mcp_sessions::store::Rate;
use tower_mcp_sessions::{RateLimits, ReconnectOutcome as O};

use super::super::forge::Forged;
use super::super::{Door, Holder};
use super::{ONE, OTHER, at_most, from, limited, retry_after};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::inner::OnInitialize;
use crate::harness::raw::RECONNECT_NONCE;
use crate::harness::trio::Trio;

on_every_backend! {
    an_address_is_refused_before_a_signature_is_checked,
    who_waits_as_long_as_told_is_judged_again,
    one_sessions_limit_is_no_other_sessions,
    spent_expired_and_foreign_tokens_keep_no_holder_out,
    a_retry_with_its_nonce_costs_the_session_nothing,
    one_principals_limit_is_no_other_principals,
    of_many_at_once_exactly_as_many_get_through_as_may,
    of_many_with_the_newest_token_exactly_as_many_go_inside_as_may,
}

const MANY: usize = 200;

async fn an_address_is_refused_before_a_signature_is_checked(backend: Backend) {
    let limits = RateLimits { reconnects_per_address: at_most(8), ..RateLimits::off() };
    let (trio, told) = limited(backend, limits).await;
    let holder = Holder::open(&from(&trio.client(), ONE)).await;
    let key = holder.session.key();
    let expired = Forged::of(&holder.token).claim("iat", json!(1)).claim("exp", json!(2)).signed();
    let forged = Forged::of(&holder.token).signed_with(&[7; 32]);
    // Whatever is shown counts, good for nothing as it may be, and wherever.
    for (number, door) in Door::ALL.into_iter().chain(Door::ALL).enumerate() {
        let client = holder.stranger(&trio.replicas[number % 3]);
        let token = [&*forged, "nonsense", &*expired, "bad\ttoken"][number / 2];
        let status = door.knock(&client, key, token).await.status.as_u16();
        assert!(matches!(status, 401 | 403), "{door:?} {status}");
    }
    told.take();
    for (number, door) in Door::ALL.into_iter().cycle().take(12).enumerate() {
        let client = holder.stranger(&trio.replicas[number % 3]);
        for token in [&*holder.token, &*expired, "nonsense"] {
            let asked = trio.store.commands();
            let answer = door.knock(&client, key, token).await;
            assert_eq!(door.outcome(&answer), (429, "rate_limited".to_owned()), "{door:?}: {}", answer.text());
            assert!(retry_after(&answer).is_some_and(|seconds| (1..=600).contains(&seconds)));
            let told = told.one();
            // A signature that was checked would have told which session a good token is for.
            assert_eq!((told.outcome, told.session, told.token), (O::RateLimited, None, None));
            assert_eq!(told.address, Some(ONE.parse().unwrap()));
            if door != Door::Tool {
                assert_eq!(trio.store.commands() - asked, 1, "the store counts, and is asked nothing else");
            }
        }
    }
    assert_eq!(holder.statuses(&trio).await, [200; 3], "who has a session uses it");
    let elsewhere = from(&holder.stranger(&trio.replicas[1]), OTHER);
    let answer = Door::Api.knock(&elsewhere, key, &holder.token).await;
    Holder::accepted(&elsewhere, Door::Api, &answer).await;
}

async fn who_waits_as_long_as_told_is_judged_again(backend: Backend) {
    let rate = Some(Rate { most: 3, per: Duration::from_secs(2) });
    let limits = RateLimits { reconnects_per_address: rate, ..RateLimits::off() };
    let (trio, _) = limited(backend, limits).await;
    let holder = Holder::open(&from(&trio.client(), ONE)).await;
    let mut knocks = (0..100).map(|number| &trio.replicas[number % 3]);
    let seconds = loop {
        let replica = knocks.next().expect("a hundred attempts are more than three in two seconds");
        let answer = Door::Api.knock(&holder.stranger(replica), holder.session.key(), "nonsense").await;
        match answer.status.as_u16() {
            401 => {}
            429 => break retry_after(&answer).expect("it says when to try again"),
            other => panic!("{other}: {}", answer.text()),
        }
    };
    assert!((1..=2).contains(&seconds), "{seconds}");
    sleep(Duration::from_secs(seconds)).await;
    holder.reconnect(Door::Header, &trio.replicas[2]).await;
}

async fn one_sessions_limit_is_no_other_sessions(backend: Backend) {
    let limits = RateLimits { reconnects_per_session: at_most(3), ..RateLimits::off() };
    let (trio, told) = limited(backend, limits).await;
    let (mut one, other) = (Holder::open(&trio.client()).await, Holder::open(&trio.client()).await);
    // What is not genuine concerns no session: nobody can lock a session out with its public name.
    for _ in 0..5 {
        let answer = Door::Api.knock(&trio.client(), one.session.key(), "nonsense").await;
        assert_eq!(Door::Api.outcome(&answer), (401, "invalid_token".to_owned()));
    }
    for replica in &trio.replicas {
        one = one.reconnect(Door::Header, replica).await;
    }
    told.take();
    for (door, replica) in Door::ALL.into_iter().zip(trio.replicas.iter().cycle()) {
        let refused = one.knock(door, replica).await;
        assert_eq!(door.outcome(&refused), (429, "rate_limited".to_owned()));
        assert!(told.one().session.is_some_and(|key| key.as_str() == one.session.key()), "the token was genuine");
    }
    assert_eq!(one.statuses(&trio).await, [200; 3]);
    other.reconnect(Door::Tool, &trio.replicas[0]).await;
}

async fn spent_expired_and_foreign_tokens_keep_no_holder_out(backend: Backend) {
    let limits = RateLimits { reconnects_per_session: at_most(3), ..RateLimits::off() };
    let (trio, _) = limited(backend, limits).await;
    let alice = trio.client().with("x-user", "alice");
    let (spent, other) = (Holder::open(&alice).await, Holder::open(&alice).await);
    let newest = spent.reconnect(Door::Header, &trio.replicas[0]).await;
    let (key, elses) = (newest.session.key(), other.session.key());
    let expired = Forged::of(&newest.token).claim("iat", json!(1)).claim("exp", json!(2)).signed();
    let skipped = Forged::of(&newest.token).claim("gen", json!(7)).signed();
    let (mallory, nobody) = (trio.client().with("x-user", "mallory"), trio.client());
    let nonce = alice.with(RECONNECT_NONCE, "a stranger's");
    for (number, door) in Door::ALL.into_iter().cycle().take(60).enumerate() {
        let replica = &trio.replicas[number % 3];
        for (client, token, outcome) in [
            (&alice, &spent.token, "token_mismatch"),
            (&nonce, &spent.token, "token_mismatch"),
            (&alice, &skipped, "token_mismatch"),
            (&alice, &expired, "token_expired"),
            (&mallory, &newest.token, "session_not_found"),
            (&nobody, &newest.token, "session_not_found"),
            (&mallory, &spent.token, "session_not_found"),
        ] {
            let answer = door.knock(&client.at(replica), key, token).await;
            assert_eq!(door.outcome(&answer).1, outcome, "{door:?}");
        }
        if matches!(door, Door::Api | Door::Tool) {
            let answer = door.knock(&alice.at(replica), elses, &newest.token).await;
            assert_eq!(door.outcome(&answer).1, "session_id_mismatch", "{door:?}");
        }
    }
    let newest = newest.reconnect(Door::Api, &trio.replicas[1]).await.reconnect(Door::Tool, &trio.replicas[2]).await;
    let refused = newest.knock(Door::Header, &trio.replicas[0]).await;
    assert_eq!(Door::Header.outcome(&refused), (429, "rate_limited".to_owned()), "its own attempts are three");
}

async fn a_retry_with_its_nonce_costs_the_session_nothing(backend: Backend) {
    let limits = RateLimits { reconnects_per_session: at_most(2), ..RateLimits::off() };
    let (trio, _) = limited(backend, limits).await;
    let mut holder = Holder::open(&trio.client()).await;
    for round in ["one", "two"] {
        let (key, token) = (holder.session.key().to_owned(), holder.token.clone());
        for number in 0..4 {
            let client = holder.stranger(&trio.replicas[number % 3]).with(RECONNECT_NONCE, round);
            let answer = Door::Api.knock(&client, &key, &token).await;
            holder = Holder::accepted(&client, Door::Api, &answer).await;
        }
    }
    let refused = holder.knock(Door::Api, &trio.replicas[2]).await;
    assert_eq!(Door::Api.outcome(&refused), (429, "rate_limited".to_owned()));
}

async fn one_principals_limit_is_no_other_principals(backend: Backend) {
    let limits = RateLimits { reconnects_per_principal: at_most(4), ..RateLimits::off() };
    let (trio, told) = limited(backend, limits).await;
    let of = async |user: &str| Holder::open(&trio.client().with("x-user", user)).await;
    let (alices, bobs, nobodys) = (of("alice").await, of("bob").await, Holder::open(&trio.client()).await);
    for replica in [0, 1, 2, 0].map(|at| &trio.replicas[at]) {
        of("alice").await.reconnect(Door::Api, replica).await;
    }
    told.take();
    for (door, replica) in Door::ALL.into_iter().zip(trio.replicas.iter().cycle()) {
        let refused = alices.knock(door, replica).await;
        assert_eq!(door.outcome(&refused), (429, "rate_limited".to_owned()));
        assert_eq!(told.one().principal.as_deref(), Some("alice"));
    }
    assert_eq!(alices.statuses(&trio).await, [200; 3]);
    bobs.reconnect(Door::Header, &trio.replicas[1]).await;
    let mut nobodys = nobodys;
    for _ in 0..6 {
        nobodys = nobodys.reconnect(Door::Api, &trio.replicas[2]).await;
    }
}

/// How many of many attempts at once, spread over the replicas, ended with which status.
async fn rush(trio: &Trio, holders: &[Holder]) -> BTreeMap<u16, usize> {
    let knocks = holders.iter().cycle().take(MANY).enumerate().map(|(number, holder)| {
        let door = [Door::Api, Door::Header, Door::Meta][number / 3 % 3];
        async move { holder.knock(door, &trio.replicas[number % 3]).await.status.as_u16() }
    });
    let mut ended = BTreeMap::new();
    for status in join_all(knocks).await {
        *ended.entry(status).or_default() += 1;
    }
    ended
}

async fn of_many_at_once_exactly_as_many_get_through_as_may(backend: Backend) {
    let off = RateLimits::off;
    for (limits, sessions) in [
        (RateLimits { reconnects_per_address: at_most(60), ..off() }, 1),
        (RateLimits { reconnects_per_principal: at_most(60), ..off() }, 20),
    ] {
        let (trio, told) = limited(backend, limits.clone()).await;
        let client = from(&trio.client(), ONE).with("x-user", "alice");
        let mut holders = Vec::new();
        for _ in 0..sessions {
            holders.push(Holder::open(&client).await);
        }
        let ended = rush(&trio, &holders).await;
        let (won, spent) = (ended[&200], ended.get(&409).copied().unwrap_or_default());
        assert_eq!((won + spent, ended[&429]), (60, MANY - 60), "{ended:?} {limits:?}");
        assert!((1..=sessions).contains(&won), "{ended:?}");
        let told = told.take();
        let with = |outcome| told.iter().filter(|told| told.outcome == outcome).count();
        assert_eq!((with(O::Reconnected), with(O::TokenMismatch), with(O::RateLimited)), (won, spent, MANY - 60));
    }
}

async fn of_many_with_the_newest_token_exactly_as_many_go_inside_as_may(backend: Backend) {
    let limits = RateLimits { reconnects_per_session: at_most(60), ..RateLimits::off() };
    let (trio, told) = limited(backend, limits).await;
    let holder = Holder::open(&trio.client()).await;
    let asked = || trio.inners.iter().map(|inner| inner.asked("initialize")).sum::<usize>();
    let before = asked();
    // What is refused inside leaves the token what it is: the newest.
    for inner in &trio.inners {
        inner.script(|script| script.initialize = OnInitialize::Refuse(StatusCode::BAD_REQUEST));
    }
    told.take();
    let knocks = (0..MANY).map(|number| holder.knock(Door::Header, &trio.replicas[number % 3]));
    let statuses: Vec<_> = join_all(knocks).await.iter().map(|answer| answer.status.as_u16()).collect();
    let with = |status| statuses.iter().filter(|found| **found == status).count();
    assert_eq!((with(400), with(429), asked() - before), (60, MANY - 60, 60));
    assert_eq!(told.take().iter().filter(|told| told.outcome == O::RateLimited).count(), MANY - 60);
}
