//! Every attempt is told exactly once, whatever becomes of it, with what an operator needs and with nothing secret.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use http::StatusCode;
use serde_json::json;
use tower_mcp_sessions::store::Rate;
use tower_mcp_sessions::{
    RateLimits, ReconnectAttempt, ReconnectDoor, ReconnectOutcome, SessionKey, SessionLayerBuilder,
};

use super::forge::Forged;
use super::{Door, Holder, open_doors};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::{eventually, throughout};
use crate::harness::inner::OnInitialize;
use crate::harness::raw::RECONNECT_NONCE;
use crate::harness::trio::Trio;
use ReconnectOutcome as O;

on_every_backend! {
    each_outcome_at_each_door_is_told_once,
    of_many_at_once_each_is_told,
    what_could_not_be_finished_is_told_too,
    a_client_that_leaves_in_the_middle_is_told_of_once,
}

/// What was told.
#[derive(Clone, Default)]
pub(super) struct Told(Arc<Mutex<Vec<ReconnectAttempt>>>);

impl Told {
    /// Has a layer tell it.
    pub(super) fn by(&self, builder: SessionLayerBuilder) -> SessionLayerBuilder {
        let told = self.clone();
        builder.on_reconnect(move |attempt| told.0.lock().unwrap().push(attempt.clone()))
    }

    pub(super) fn take(&self) -> Vec<ReconnectAttempt> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// The only attempt since the last time.
    #[track_caller]
    pub(super) fn one(&self) -> ReconnectAttempt {
        let mut told = self.take();
        assert_eq!(told.len(), 1, "{told:?}");
        told.pop().expect("one")
    }
}

async fn audited(backend: Backend, limits: RateLimits) -> (Trio, Told) {
    let told = Told::default();
    let trio = Trio::with_monitor(backend, |_, builder| {
        told.by(open_doors(builder))
            .rate_limits(limits.clone())
            .principal_label(|principal| Some(format!("{}…", &principal.as_str()[..1])))
    });
    (trio.await, told)
}

fn door_of(door: Door) -> ReconnectDoor {
    match door {
        Door::Header | Door::Meta => ReconnectDoor::Initialize,
        Door::Api => ReconnectDoor::Api,
        Door::Tool => ReconnectDoor::Tool,
    }
}

/// Expects one attempt, well described, and returns its outcome.
#[track_caller]
fn assert_told(told: &Told, door: Door, replica: &str, token: &str) -> ReconnectOutcome {
    let attempt = told.one();
    assert_eq!((attempt.door, &*attempt.replica), (door_of(door), replica));
    assert_eq!(attempt.address, Some([127, 0, 0, 1].into()));
    assert_eq!(attempt.principal.as_deref(), Some("a…"), "as the label shows it");
    let printed = format!("{attempt:?}");
    assert!(!printed.contains("alice") && !token.split('.').any(|part| printed.contains(part)), "{printed}");
    attempt.outcome
}

async fn each_outcome_at_each_door_is_told_once(backend: Backend) {
    let (trio, told) = audited(backend, RateLimits::off()).await;
    let alice = trio.client().with("x-user", "alice");
    for (at, door) in [0, 1, 2].into_iter().flat_map(|at| Door::ALL.map(|door| (at, door))) {
        let (replica, name) = (&trio.replicas[at], ["a", "b", "c"][at]);
        let holder = Holder::open(&alice).await;
        let key = SessionKey::parse(holder.session.key());
        let good = Forged::of(&holder.token);
        let jti = good.claims["jti"].as_str().map(str::to_owned);
        let expired = good.clone().claim("iat", json!(1)).claim("exp", json!(2)).signed();
        for (token, outcome) in [
            ("nonsense".to_owned(), O::InvalidToken),
            (good.signed_with(b"another secret, as long as the other one"), O::InvalidToken),
            (good.clone().claim("aud", json!("else")).signed(), O::InvalidTokenPurpose),
            (expired, O::TokenExpired),
            (good.claim("sub", json!("principal/mallory")).signed(), O::SessionNotFound),
            (holder.token.clone(), O::Reconnected),
            (holder.token.clone(), O::TokenMismatch),
        ] {
            door.knock(&alice.at(replica), holder.session.key(), &token).await;
            let known =
                told.0.lock().unwrap().last().map(|told| (told.session, told.token.as_deref().map(str::to_owned)));
            let is_genuine = matches!(outcome, O::SessionNotFound | O::Reconnected | O::TokenMismatch);
            assert_eq!(known, Some(if is_genuine { (key, jti.clone()) } else { (None, None) }), "{outcome}");
            assert_eq!(assert_told(&told, door, name, &token), outcome, "{door:?}");
        }
        if matches!(door, Door::Api | Door::Tool) {
            let other = Holder::open(&alice).await;
            door.knock(&alice.at(replica), holder.session.key(), &other.token).await;
            assert_eq!(assert_told(&told, door, name, &other.token), O::SessionIdMismatch);
        }
    }
    assert!(alice.open("2025-11-25").await.works().await);
    assert_eq!(told.len(), 0, "an ordinary client attempts nothing");
}

async fn of_many_at_once_each_is_told(backend: Backend) {
    let one = Some(Rate { most: 20, per: Duration::from_secs(60) });
    let (trio, told) = audited(backend, RateLimits { reconnects_per_address: one, ..RateLimits::off() }).await;
    let holder = Holder::open(&trio.client()).await;
    let attempts = (0..30).map(|number| {
        let door = [Door::Header, Door::Api, Door::Meta][number % 3];
        holder.knock(door, &trio.replicas[number % 3])
    });
    let answers = join_all(attempts).await;
    let told = told.take();
    let of = |outcome| told.iter().filter(|told| told.outcome == outcome).count();
    assert_eq!((of(O::Reconnected), of(O::TokenMismatch), of(O::RateLimited), told.len()), (1, 19, 10, 30));
    let with = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((with(StatusCode::CONFLICT), with(StatusCode::TOO_MANY_REQUESTS)), (19, 10));
    assert!(told.iter().all(|told| told.principal.is_none()));
}

async fn what_could_not_be_finished_is_told_too(backend: Backend) {
    let (trio, told) = audited(backend, RateLimits::off()).await;
    let alice = trio.client().with("x-user", "alice");
    let holder = Holder::open(&alice).await;
    let caller = alice.open("2025-11-25").await;
    trio.store.set_down(true);
    for door in [Door::Header, Door::Meta, Door::Api] {
        holder.knock(door, &trio.replicas[0]).await;
        assert_eq!(assert_told(&told, door, "a", &holder.token), O::Unavailable);
    }
    let arguments = json!({ "session_id": holder.session.key(), "reconnect_token": holder.token });
    super::call_tool(&caller, &arguments).await;
    assert_eq!(assert_told(&told, Door::Tool, "a", &holder.token), O::Unavailable);
    trio.store.set_down(false);
    for how in
        [OnInitialize::Refuse(StatusCode::FORBIDDEN), OnInitialize::Error, OnInitialize::BrokenOff, OnInitialize::Panic]
    {
        trio.inners[1].script(|script| script.initialize = how);
        holder.knock(Door::Header, &trio.replicas[1]).await;
        assert_eq!(assert_told(&told, Door::Header, "b", &holder.token), O::Unavailable, "{how:?}");
    }
    assert!(holder.session.works().await);
}

async fn a_client_that_leaves_in_the_middle_is_told_of_once(backend: Backend) {
    let (trio, told) = audited(backend, RateLimits::off()).await;
    let alice = trio.client().with("x-user", "alice");
    for (round, door) in Door::ALL.into_iter().enumerate() {
        let holder = Holder::open(&alice).await;
        let (waited, client) = (trio.store.waited(), alice.with(RECONNECT_NONCE, "mine"));
        trio.store.tie_hands(true);
        {
            let knocking = door.knock(&client, holder.session.key(), &holder.token);
            tokio::pin!(knocking);
            let arrived = eventually("the attempt is under way", async || trio.store.waited() > waited);
            tokio::select! {
                _ = &mut knocking => panic!("it is answered while the store waits"),
                () = arrived => {}
            }
        }
        // The client has left; what the store does for it is known nevertheless.
        trio.replicas[0].is_left_alone().await;
        trio.store.tie_hands(false);
        eventually("it is told", async || told.len() > 0).await;
        throughout(Duration::from_millis(100), "told once", async || told.len() == 1).await;
        assert_eq!(assert_told(&told, door, "a", &holder.token), O::Reconnected, "{door:?}");
        eventually("the old id is unknown", async || holder.statuses(&trio).await == [404; 3]).await;
        if door != Door::Tool {
            let back = door.knock(&client.at(&trio.replicas[round % 3]), holder.session.key(), &holder.token).await;
            assert_eq!(door.outcome(&back).1, "reconnected", "and with its nonce the client is back");
            told.one();
        }
    }
    // A client that leaves while the inner service thinks about its handshake: all the same.
    let holder = Holder::open(&alice).await;
    trio.inners[2].script(|script| script.initialize = OnInitialize::Wait);
    let running = trio.inners[2].running();
    {
        let knocking = holder.knock(Door::Header, &trio.replicas[2]);
        tokio::pin!(knocking);
        let arrived = eventually("the inner service was asked", async || trio.inners[2].running() > running);
        tokio::select! {
            _ = &mut knocking => panic!("it is answered before the inner service has"),
            () = arrived => {}
        }
    }
    assert_eq!(told.len(), 0);
    trio.inners[2].let_one_go();
    eventually("it is told", async || told.len() > 0).await;
    assert_eq!(assert_told(&told, Door::Header, "c", &holder.token), O::Reconnected);
}
