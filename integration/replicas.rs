//! Two replicas on one Redis are one server: a session lives on both, whoever opened it, and outlives either.

use std::time::Duration;

use serde_json::json;

use crate::harness::clients::{PySdk, TsSdk, drive_py, drive_ts};
use crate::harness::eventually::within;
use crate::harness::process::Process;
use crate::harness::proxy::Proxy;
use crate::harness::redis::RedisServer;
use crate::harness::wire::Wire;

/// The promise is one second; the rest is for a machine with much else to do.
const KNOWN_WITHIN: Duration = Duration::from_secs(3);

/// Two replicas of the example server.
struct Pair {
    a: Process,
    b: Process,
    _redis: RedisServer,
}

impl Pair {
    async fn start() -> Self {
        Self::with(&[]).await
    }

    async fn with(flags: &[&str]) -> Self {
        let redis = RedisServer::start();
        let url = redis.url();
        let replica =
            async |name| Process::server(&[&["--stateless", "--redis", &url, "--replica", name], flags].concat()).await;
        Self { a: replica("a").await, b: replica("b").await, _redis: redis }
    }

    fn balanced(&self) -> impl Future<Output = Proxy> {
        Proxy::over([self.a.address(), self.b.address()])
    }
}

#[tokio::test]
async fn a_session_opened_on_one_is_good_on_the_other() {
    let pair = Pair::start().await;
    let on_a = Wire::open(&pair.a.mcp()).await;
    let on_b = on_a.at(&pair.b.mcp());

    let (here, there) = (on_a.call("whoami", json!({})).await, on_b.call("whoami", json!({})).await);

    let (here, there) = (&here["structuredContent"], &there["structuredContent"]);
    assert_eq!((&here["replica"], &there["replica"]), (&json!("a"), &json!("b")));
    assert_eq!(here["session"], there["session"]);
    assert_eq!(there["client"], json!({"name": "wire", "version": "1"}));
}

#[tokio::test]
async fn what_one_keeps_the_other_finds() {
    let pair = Pair::start().await;
    let on_a = Wire::open(&pair.a.mcp()).await;
    let on_b = on_a.at(&pair.b.mcp());

    on_a.call("note_put", json!({"name": "colour", "value": "teal"})).await;
    assert_eq!(on_b.say("note_get", json!({"name": "colour"})).await, "teal");
    on_b.call("note_put", json!({"name": "colour", "value": "plum"})).await;
    assert_eq!(on_a.say("note_get", json!({"name": "colour"})).await, "plum");
}

#[tokio::test]
async fn a_session_ended_on_one_is_over_on_the_other() {
    let pair = Pair::start().await;
    let on_a = Wire::open(&pair.a.mcp()).await;
    let on_b = on_a.at(&pair.b.mcp());
    assert_eq!((on_a.status().await.as_u16(), on_b.status().await.as_u16()), (200, 200));

    let deleted = on_b.delete().await;

    assert!(matches!(deleted.as_u16(), 200 | 204), "{deleted}");
    assert_eq!(on_b.status().await, 404);
    within(KNOWN_WITHIN, "the session is over on the other replica", async || on_a.status().await == 404).await;
}

#[tokio::test]
async fn behind_one_url_both_serve_a_session() {
    let pair = Pair::start().await;
    let proxy = pair.balanced().await;
    proxy.pin(0);
    let wire = Wire::open(&proxy.mcp()).await;
    assert_eq!(who_serve(&wire).await, ["a", "a", "a", "a"]);

    proxy.round_robin();

    let mut turns = who_serve(&wire).await;
    turns.sort();
    assert_eq!(turns, ["a", "a", "b", "b"]);
}

/// The replicas that answer four calls.
async fn who_serve(wire: &Wire) -> Vec<String> {
    let mut replicas = Vec::new();
    for _ in 0..4 {
        let who = wire.call("whoami", json!({})).await;
        replicas.push(who["structuredContent"]["replica"].as_str().expect("a name").to_owned());
    }
    replicas
}

#[tokio::test]
async fn official_clients_work_without_sticky_routing() {
    // They ask once, and at once, whether their session has ended.
    let pair = Pair::with(&["--strict"]).await;
    let proxy = pair.balanced().await;
    let options = json!({"ask": "error", "timeoutMs": 60_000, "callTimeoutMs": 20_000});
    for sdk in TsSdk::ALL {
        drive_ts(sdk, &proxy.mcp(), "tools", options.clone()).await.assert_clean();
    }
    for sdk in PySdk::ALL {
        drive_py(sdk, &proxy.mcp(), "tools", options.clone()).await.assert_clean();
    }
}

#[tokio::test]
async fn of_two_official_clients_one_opens_a_session_and_the_other_comes_back_to_it_elsewhere() {
    let pair = Pair::start().await;
    let opened = drive_ts(TsSdk::V1, &pair.a.mcp(), "quickstart", json!({"keep": true})).await;
    opened.assert_clean();

    let resumed = drive_ts(TsSdk::V2, &pair.b.mcp(), "resume", json!({"sessionId": opened.session_id})).await;

    resumed.assert_clean();
    assert_eq!(resumed.detail("call whoami without initialize")["replica"], "b", "{resumed}");
}

#[tokio::test]
async fn a_replica_that_crashes_takes_no_session_along() {
    let pair = Pair::start().await;
    let proxy = pair.balanced().await;
    let mut sessions = Vec::new();
    for turn in 0..10 {
        let session = Wire::open(&proxy.mcp()).await;
        session.call("note_put", json!({"name": "turn", "value": turn.to_string()})).await;
        sessions.push(session);
    }
    let before = sessions[0].call("whoami", json!({})).await;

    let exit = pair.a.kill().await;

    assert!(!exit.status.success(), "{exit:?}");
    for (turn, session) in sessions.iter().enumerate() {
        assert_eq!(session.say("note_get", json!({"name": "turn"})).await, turn.to_string());
    }
    let after = sessions[0].call("whoami", json!({})).await;
    assert_eq!(after["structuredContent"]["session"], before["structuredContent"]["session"]);
    assert_eq!(after["structuredContent"]["replica"], "b");
}
