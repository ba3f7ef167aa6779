//! Who has the session afterwards, and what of it is left.

use http::StatusCode;
use serde_json::{Value, json};
use tower_mcp_sessions::Freshness;
use tower_mcp_sessions::monitor::Role;

use super::{assert_foreign, of, statuses, timeline};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::login::everybody_as;
use crate::harness::raw::{SESSION_ID, Session};
use crate::harness::trio::Trio;

on_every_backend! {
    the_first_principal_that_uses_an_anonymous_session_has_it,
    where_every_request_asks_the_store_it_is_foreign_at_once,
    of_many_principals_one_gets_it,
    fresh_credentials_of_the_adopter_are_welcome,
    where_it_is_switched_off_an_anonymous_session_stays_anonymous,
}

async fn trio(backend: Backend) -> Trio {
    Trio::monitored(backend.store().await, |_, builder| builder, |monitor| monitor.access(everybody_as(Role::View)))
        .await
}

async fn the_first_principal_that_uses_an_anonymous_session_has_it(backend: Backend) {
    let trio = trio(backend).await;
    let everywhere = trio.open_everywhere().await;
    let anonymous = &everywhere[0];
    let put = anonymous.call("session/put", json!({ "name": "note", "value": "kept" })).await;
    assert_eq!(put.json()["result"]["stored"], true);
    let opened = || trio.inners.each_ref().map(|inner| (inner.minted(), inner.asked("initialize")));
    let before = opened();

    assert!(of(&everywhere[1], "alice").works().await, "the call that adopts is answered");

    assert_foreign(&trio, anonymous, "alice").await;
    for (inner, session) in trio.inners.iter().zip(&everywhere) {
        let note = of(session, "alice").call("session/get", json!({ "name": "note" })).await;
        assert_eq!(note.json()["result"]["value"], "kept");
        let seen = inner.last("session/get").session.expect("a handler finds the session");
        assert_eq!(seen.principal().map(|principal| principal.as_str()), Some("alice"));
        assert_eq!(seen.key().to_string(), anonymous.key());
    }
    assert_eq!(opened(), before, "the inner services go on with the session they have");
    let told: Vec<_> =
        timeline(&trio, anonymous).await.iter().map(|event| (event["type"].clone(), event["how"].clone())).collect();
    assert_eq!(told, [(json!("session_created"), Value::Null), (json!("session_updated"), json!("adopted"))]);
    assert_eq!(trio.store.counts().await, (1, 0));
}

async fn where_every_request_asks_the_store_it_is_foreign_at_once(backend: Backend) {
    let strict = |_, builder: tower_mcp_sessions::SessionLayerBuilder| builder.freshness(Freshness::Strict);
    let trio = Trio::with_monitor(backend, strict).await;
    trio.store.silence_bus();
    let [anonymous, ..] = trio.open_everywhere().await;
    assert!(of(&anonymous, "alice").works().await);
    assert_eq!(statuses(&trio, &anonymous).await, [404; 3]);
    assert_eq!(statuses(&trio, &of(&anonymous, "mallory")).await, [404; 3]);
    assert_eq!(statuses(&trio, &of(&anonymous, "alice")).await, [200; 3]);
}

async fn of_many_principals_one_gets_it(backend: Backend) {
    let trio = trio(backend).await;
    for round in 0..5 {
        let everywhere = trio.open_everywhere().await;
        let tries = (0..24).map(|number| {
            let session = of(&everywhere[number % 3], &format!("user {round} {number}"));
            async move { (session.status().await, session) }
        });
        let tries = futures::future::join_all(tries).await;
        let (won, lost): (Vec<_>, Vec<_>) = tries.into_iter().partition(|(status, _)| *status == StatusCode::OK);
        assert_eq!(won.len(), 1, "{lost:?}", lost = lost.iter().map(|(status, _)| *status).collect::<Vec<_>>());
        assert!(lost.iter().all(|(status, _)| *status == StatusCode::NOT_FOUND));
        assert_eq!(statuses(&trio, &won[0].1).await, [200; 3]);
        let adopted = timeline(&trio, &everywhere[0]).await.into_iter().filter(|event| event["how"] == "adopted");
        assert_eq!(adopted.count(), 1);
    }
}

async fn fresh_credentials_of_the_adopter_are_welcome(backend: Backend) {
    let trio = trio(backend).await;
    let anonymous = trio.open().await;
    for (number, replica) in trio.replicas.iter().enumerate() {
        let bearer = format!("Bearer number {number}");
        let alice = of(&anonymous, "alice").at(replica);
        let alice = Session { client: alice.client.with("authorization", &bearer), ..alice };
        assert!(alice.works().await);
        assert_eq!(trio.inners[number].last("echo").header("authorization"), Some(bearer.as_str()));
    }
}

async fn where_it_is_switched_off_an_anonymous_session_stays_anonymous(backend: Backend) {
    let trio = Trio::with(backend, |builder| builder.adopt_anonymous(false)).await;
    let everywhere = trio.open_everywhere().await;
    for session in &everywhere {
        let alice = of(session, "alice");
        let unknown = alice.client.with(SESSION_ID, &"A".repeat(43));
        let (known, unknown) = (alice.call("echo", json!({})).await, unknown.call("echo", json!({})).await);
        assert_eq!((known.status, known.fingerprint()), (StatusCode::NOT_FOUND, unknown.fingerprint()));
        assert_eq!(alice.client.get().await.status, StatusCode::NOT_FOUND);
        assert_eq!(alice.delete().await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(statuses(&trio, &everywhere[0]).await, [200; 3]);
}
