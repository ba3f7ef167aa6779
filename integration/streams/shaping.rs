//! What a client asks for once and means for its whole session reaches every inner service, also those that learn of the
//! session later.

use http::StatusCode;
use serde_json::{Value, json};

use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::inner::{Scripted, Seen};
use crate::harness::raw::{SESSION_ID, Session, VERSION, initialize, notification};
use crate::harness::trio::Trio;

on_every_backend! {
    a_shaping_call_reaches_existing_bindings_and_later_ones,
    what_was_taken_back_is_not_replayed,
    a_refused_call_is_not_kept,
    an_inner_service_that_forgot_is_shaped_again,
    each_binding_is_told_initialized_once_whichever_replica_the_client_told,
}

const SHAPING: [&str; 3] = ["logging/setLevel", "resources/subscribe", "resources/unsubscribe"];

async fn shape(session: &Session, method: &str, params: Value) -> Value {
    let answer = session.call(method, params).await;
    assert_eq!(answer.status, StatusCode::OK);
    answer.json()
}

/// The shaping calls a service saw: method, what about, and whether it was told because another replica's was.
fn shapings(inner: &Scripted) -> Vec<(String, Value, bool)> {
    let shapings = inner.seen().into_iter().filter(|seen| SHAPING.contains(&&*seen.method()));
    let told = |seen: Seen| {
        let message: Value = serde_json::from_slice(&seen.body).unwrap();
        (seen.method(), message["params"].clone(), seen.replayed)
    };
    shapings.map(told).collect()
}

fn told(method: &str, params: Value, replayed: bool) -> (String, Value, bool) {
    (method.to_owned(), params, replayed)
}

async fn a_shaping_call_reaches_existing_bindings_and_later_ones(backend: Backend) {
    let trio = Trio::start(backend).await;
    let session = trio.open().await;
    let [a, b, c] = trio.everywhere(&session);
    assert!(b.works().await);
    let (warning, error) = (json!({ "level": "warning" }), json!({ "level": "error" }));
    let (one, two) = (json!({ "uri": "note:1" }), json!({ "uri": "note:2" }));
    shape(&a, "logging/setLevel", warning.clone()).await;
    shape(&a, "resources/subscribe", one.clone()).await;
    shape(&a, "resources/subscribe", two.clone()).await;
    shape(&a, "logging/setLevel", error.clone()).await;
    let calls = |replayed| {
        vec![
            told("logging/setLevel", warning.clone(), replayed),
            told("resources/subscribe", one.clone(), replayed),
            told("resources/subscribe", two.clone(), replayed),
            told("logging/setLevel", error.clone(), replayed),
        ]
    };
    assert_eq!(shapings(&trio.inners[0]), calls(false));
    eventually("the existing binding is told", async || shapings(&trio.inners[1]) == calls(true)).await;

    assert!(c.works().await);
    let later = [
        told("logging/setLevel", error.clone(), true),
        told("resources/subscribe", one.clone(), true),
        told("resources/subscribe", two.clone(), true),
    ];
    // They are about different things, so their order does not matter.
    let mut found = shapings(&trio.inners[2]);
    found.sort_by_key(|(method, params, _)| (method.clone(), params.to_string()));
    assert_eq!(found, later);
    let methods: Vec<String> = trio.inners[2].seen().iter().map(Seen::method).collect();
    assert_eq!(methods[..2], ["initialize", "notifications/initialized"]);
    assert_eq!((methods.len(), methods[5].as_str()), (6, "echo"), "all of it before the client's call");
    assert!(!trio.inners[2].last("echo").replayed);
    assert!(a.works().await && b.works().await && c.works().await);
    assert_eq!(trio.inners.each_ref().map(|inner| shapings(inner).len()), [4, 4, 3], "once each");
}

async fn what_was_taken_back_is_not_replayed(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [a, b, c] = trio.everywhere(&trio.open().await);
    assert!(b.works().await);
    let (one, two) = (json!({ "uri": "note:1" }), json!({ "uri": "note:2" }));
    shape(&a, "resources/subscribe", one.clone()).await;
    shape(&b, "resources/subscribe", two.clone()).await;
    shape(&b, "resources/unsubscribe", one.clone()).await;
    eventually("the first replica is told", async || shapings(&trio.inners[0]).len() == 3).await;
    assert_eq!(shapings(&trio.inners[0])[2], told("resources/unsubscribe", one, true));
    assert!(c.works().await);
    assert_eq!(shapings(&trio.inners[2]), [told("resources/subscribe", two, true)]);
}

async fn a_refused_call_is_not_kept(backend: Backend) {
    let trio = Trio::start(backend).await;
    let [a, b, c] = trio.everywhere(&trio.open().await);
    assert!(b.works().await);
    assert!(shape(&a, "resources/subscribe", json!({ "uri": "refused:" })).await["error"].is_object());
    shape(&a, "resources/subscribe", json!({ "uri": "note:1" })).await;
    eventually("what was accepted arrives", async || !shapings(&trio.inners[1]).is_empty()).await;
    assert!(c.works().await);
    for inner in &trio.inners[1..] {
        assert_eq!(shapings(inner), [told("resources/subscribe", json!({ "uri": "note:1" }), true)]);
    }
}

async fn an_inner_service_that_forgot_is_shaped_again(backend: Backend) {
    let trio = Trio::start(backend).await;
    let session = trio.open().await;
    shape(&session, "logging/setLevel", json!({ "level": "debug" })).await;
    trio.inners[0].forget();
    assert!(session.works().await);
    let level = |replayed| told("logging/setLevel", json!({ "level": "debug" }), replayed);
    assert_eq!(shapings(&trio.inners[0]), [level(false), level(true)]);
}

async fn each_binding_is_told_initialized_once_whichever_replica_the_client_told(backend: Backend) {
    let trio = Trio::start(backend).await;
    for via in 0..3 {
        let before = trio.inners.each_ref().map(|inner| inner.asked("notifications/initialized"));
        let answer = trio.client().post(&initialize("2025-11-25")).await.whole().await;
        let id = answer.session_id().expect("an id");
        let client = trio.client().with(SESSION_ID, &id).with(VERSION, "2025-11-25");
        let everywhere = trio.everywhere(&Session { id, client });
        let confirmed = everywhere[via].client.post(&notification("notifications/initialized")).await;
        assert_eq!(confirmed.status, StatusCode::ACCEPTED);
        for session in everywhere.iter().cycle().take(6) {
            assert!(session.works().await);
        }
        let after = trio.inners.each_ref().map(|inner| inner.asked("notifications/initialized"));
        assert_eq!(after, before.map(|times| times + 1), "told on replica {via}");
        for inner in &trio.inners {
            let methods: Vec<String> = inner.seen().iter().map(Seen::method).collect();
            let last_opened = methods.iter().rposition(|method| method == "initialize").expect("an initialize");
            assert_eq!(methods[last_opened + 1], "notifications/initialized", "before anything else");
        }
    }
}
