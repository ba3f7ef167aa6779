//! Sessions are opened only so often by one address and one principal, and only so many live. What is refused leaves nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};
use tower_mcp_sessions::store::Rate;
use tower_mcp_sessions::{RateLimits, SessionKey};

use super::super::{Door, Holder, REVISION};
use super::{ONE, OTHER, at_most, from, limited, retry_after};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::raw::{Client, Session, Whole, initialize};
use crate::harness::size::size;
use crate::harness::trio::Trio;

on_every_backend! {
    an_address_opens_as_many_as_it_may,
    a_principal_opens_as_many_as_it_may,
    no_more_live_than_may_and_room_is_made_by_leaving,
    a_flood_from_one_address_leaves_room_for_others,
}

/// All that opening a session leaves behind: keys in the store that name a session, inner sessions, living ones.
async fn traces(trio: &Trio) -> (BTreeSet<String>, usize, (u64, u64)) {
    let keys = trio.store.redis().map_or_else(Vec::new, |redis| redis.keys());
    let names_session = |key: &String| key.rsplit(':').next().is_some_and(|name| SessionKey::parse(name).is_some());
    let keys = keys.into_iter().filter(names_session).collect();
    let inner = trio.inners.iter().map(|inner| inner.sessions()).sum();
    (keys, inner, trio.store.counts().await)
}

async fn attempt(client: &Client, trio: &Trio, at: usize) -> Whole {
    client.at(&trio.replicas[at % 3]).post(&initialize(REVISION)).await.whole().await
}

/// Expects a refusal as JSON-RPC has it.
fn assert_refused(answer: &Whole, status: StatusCode, code: i32, seconds: std::ops::RangeInclusive<u64>) {
    let told = answer.json();
    assert_eq!(answer.status, status, "{told}");
    assert_eq!((&told["jsonrpc"], &told["id"], &told["error"]["code"]), (&json!("2.0"), &json!(0), &json!(code)));
    assert!(told["error"]["message"].as_str().is_some_and(|text| text.contains("try again")), "{told}");
    assert!(retry_after(answer).is_some_and(|said| seconds.contains(&said)), "{:?}", answer.headers);
    assert_eq!((answer.session_id(), answer.reconnect_token(), &told["result"]), (None, None, &Value::Null));
}

fn assert_too_many(answer: &Whole) {
    assert_refused(answer, StatusCode::TOO_MANY_REQUESTS, -32600, 1..=600);
}

async fn an_address_opens_as_many_as_it_may(backend: Backend) {
    let (trio, _) = limited(backend, RateLimits { opens_per_address: at_most(3), ..RateLimits::off() }).await;
    let client = from(&trio.client(), ONE);
    let mut opened = Vec::new();
    for at in 0..3 {
        opened.push(Holder::open(&client.at(&trio.replicas[at])).await);
    }
    let before = traces(&trio).await;
    assert!(trio.store.redis().is_none() || before.0.len() >= 3, "{before:?}");
    let asked: usize = trio.inners.iter().map(|inner| inner.asked("initialize")).sum();
    for (at, user) in ["alice", "bob", "carol"].into_iter().enumerate() {
        assert_too_many(&attempt(&client, &trio, at).await);
        assert_too_many(&attempt(&client.with("x-user", user), &trio, at).await);
        let stale = client.with("mcp-session-id", &opened[0].session.id);
        assert_too_many(&attempt(&stale, &trio, at).await);
    }
    assert_eq!(traces(&trio).await, before, "what is refused leaves nothing");
    assert_eq!(trio.inners.iter().map(|inner| inner.asked("initialize")).sum::<usize>(), asked, "nor is it handed on");
    // Another address is not locked out, sessions are used as before, and who comes back opens nothing.
    assert!(from(&trio.client(), OTHER).open(REVISION).await.works().await);
    for (holder, door) in opened.into_iter().zip([Door::Header, Door::Meta, Door::Api]) {
        assert_eq!(holder.statuses(&trio).await, [200; 3]);
        holder.reconnect(door, &trio.replicas[1]).await;
    }
}

async fn a_principal_opens_as_many_as_it_may(backend: Backend) {
    let (trio, _) = limited(backend, RateLimits { opens_per_principal: at_most(3), ..RateLimits::off() }).await;
    let (alice, bob) = (trio.client().with("x-user", "alice"), trio.client().with("x-user", "bob"));
    for at in 0..3 {
        assert_eq!(attempt(&from(&alice, ONE), &trio, at).await.status, StatusCode::OK);
    }
    let before = traces(&trio).await;
    for at in 0..3 {
        assert_too_many(&attempt(&from(&alice, OTHER), &trio, at).await);
    }
    assert_eq!(traces(&trio).await, before, "what is refused leaves nothing");
    for at in 0..3 {
        assert_eq!(attempt(&from(&bob, ONE), &trio, at).await.status, StatusCode::OK);
    }
    for at in 0..6 {
        assert_eq!(attempt(&trio.client(), &trio, at).await.status, StatusCode::OK, "the nameless are nobody");
    }
}

async fn no_more_live_than_may_and_room_is_made_by_leaving(backend: Backend) {
    const CAP: usize = 5;
    let limits = RateLimits { live_sessions: Some(CAP as u64), ..RateLimits::off() };
    let (trio, _) = limited(backend, limits).await;
    let client = trio.client();
    let rush = join_all((0..60).map(|at| attempt(&client, &trio, at))).await;
    let (opened, refused): (Vec<_>, Vec<_>) = rush.iter().partition(|answer| answer.status == StatusCode::OK);
    assert_eq!(opened.len(), CAP);
    for answer in refused {
        assert_refused(answer, StatusCode::SERVICE_UNAVAILABLE, -32603, 10..=10);
    }
    let inner_sessions = || trio.inners.iter().map(|inner| inner.sessions()).sum::<usize>();
    eventually("no inner session is left of a refused one", async || inner_sessions() == CAP).await;
    let before = traces(&trio).await;
    assert_eq!(before.2, (CAP as u64, 0));
    assert_refused(&attempt(&client, &trio, 0).await, StatusCode::SERVICE_UNAVAILABLE, -32603, 10..=10);
    eventually("it leaves nothing", async || traces(&trio).await == before).await;

    let mut sessions = opened.iter().map(|answer| {
        let (id, token) = (answer.session_id().expect("an id"), answer.reconnect_token().expect("a token"));
        let client = client.with("mcp-session-id", &id).with("mcp-protocol-version", REVISION);
        Holder { session: Session { id, client }, token }
    });
    let (leaves, returns) = (sessions.next().expect("one"), sessions.next().expect("two"));
    assert_eq!(returns.statuses(&trio).await, [200; 3], "who is in stays in");
    let returned = returns.reconnect(Door::Header, &trio.replicas[2]).await;
    assert_eq!(returned.statuses(&trio).await, [200; 3], "and comes back, for it is no new session");
    assert_eq!(leaves.session.delete().await.status, StatusCode::NO_CONTENT);
    assert!(client.at(&trio.replicas[1]).open(REVISION).await.works().await, "there is room again");
    assert_refused(&attempt(&client, &trio, 0).await, StatusCode::SERVICE_UNAVAILABLE, -32603, 10..=10);
}

async fn a_flood_from_one_address_leaves_room_for_others(backend: Backend) {
    let flood = size(200, 2_000);
    let rate = Some(Rate { most: 20, per: Duration::from_secs(600) });
    let limits = RateLimits { opens_per_address: rate, live_sessions: Some(30), ..RateLimits::off() };
    let (trio, _) = limited(backend, limits).await;
    let attacker = from(&trio.client(), ONE);
    let mut opened = 0;
    for from in (0..flood).step_by(100) {
        let answers = join_all((from..from + 100).map(|at| attempt(&attacker, &trio, at))).await;
        opened += answers.iter().filter(|answer| answer.status == StatusCode::OK).count();
    }
    assert_eq!((opened, trio.store.counts().await), (20, (20, 0)));
    assert_eq!(trio.inners.iter().map(|inner| inner.asked("initialize")).sum::<usize>(), 20);
    for (at, user) in ["alice", "bob", "carol"].into_iter().enumerate() {
        let client = from(&trio.client().with("x-user", user), OTHER).at(&trio.replicas[at]);
        assert!(client.open(REVISION).await.works().await, "{user} is served");
    }
}
