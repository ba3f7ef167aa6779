//! Several gateways on one Redis, in front of one upstream that knows nothing of either: a session of a client is one session
//! there. Told that each has an upstream of its own, each has a session of its own there.

use serde_json::json;

use super::gateway;
use super::upstream::Upstream;
use crate::harness::eventually::eventually;
use crate::harness::process::Process;
use crate::harness::redis::RedisServer;
use crate::harness::wire::Wire;

/// Two gateways.
struct Pair {
    a: Process,
    b: Process,
    _redis: RedisServer,
}

impl Pair {
    async fn of(upstream: &Upstream) -> Self {
        Self::with(upstream, "shared").await
    }

    async fn with(upstream: &Upstream, sharing: &str) -> Self {
        let redis = RedisServer::start();
        let (url, mcp) = (redis.url(), upstream.mcp());
        let replica =
            async |name| gateway(&mcp, &["--redis", &url, "--replica", name, "--inner-sessions", sharing]).await;
        Self { a: replica("a").await, b: replica("b").await, _redis: redis }
    }
}

#[tokio::test]
async fn a_session_opened_on_one_is_good_on_the_other() {
    let upstream = Upstream::start().await;
    let pair = Pair::of(&upstream).await;
    let on_a = Wire::open(&pair.a.mcp()).await;
    let on_b = on_a.at(&pair.b.mcp());

    for wire in [&on_a, &on_b, &on_a] {
        assert_eq!(wire.say("echo", json!({})).await, "echo in upstream-1");
    }
    assert_eq!(upstream.asked("initialize").await.len(), 1);
    assert_eq!(upstream.asked("notifications/initialized").await.len(), 1);
}

#[tokio::test]
async fn gateways_with_an_upstream_each_have_a_session_each() {
    let upstream = Upstream::start().await;
    let pair = Pair::with(&upstream, "per-replica").await;
    let on_a = Wire::open(&pair.a.mcp()).await;
    let on_b = on_a.at(&pair.b.mcp());

    assert_eq!(on_a.say("echo", json!({})).await, "echo in upstream-1");
    assert_eq!(on_b.say("echo", json!({})).await, "echo in upstream-2");
    assert_eq!(on_a.say("echo", json!({})).await, "echo in upstream-1");
    let handshakes = upstream.asked("initialize").await;
    assert_eq!(handshakes[0].body, handshakes[1].body);
}

/// What the upstream keeps in its memory stays, whatever becomes of the gateways.
#[tokio::test]
async fn a_counter_behind_three_gateways_counts_on_while_they_are_restarted() {
    let redis = RedisServer::start();
    let upstream = Process::server(&[]).await;
    let (url, mcp) = (redis.url(), upstream.mcp());
    let start = async |name| gateway(&mcp, &["--redis", &url, "--replica", name]).await;
    let mut gateways = vec![start("a").await, start("b").await, start("c").await];
    let wire = Wire::open(&gateways[0].mcp()).await;
    let mut counted = 0;
    let mut count_on = async |gateways: &[Process]| {
        for gateway in gateways {
            counted += 1;
            assert_eq!(wire.at(&gateway.mcp()).say("counter", json!({})).await, counted.to_string());
        }
    };
    count_on(&gateways).await;
    for name in ["a again", "b again", "c again"] {
        assert!(gateways.remove(0).terminate().await.status.success());
        count_on(&gateways).await;
        gateways.push(start(name).await);
        count_on(&gateways).await;
    }
    // Killed, not told to leave.
    gateways.remove(0).kill().await;
    count_on(&gateways).await;
}

#[tokio::test]
async fn a_session_ended_on_one_is_over_on_both_and_at_the_upstream() {
    let upstream = Upstream::start().await;
    let pair = Pair::of(&upstream).await;
    let on_a = Wire::open(&pair.a.mcp()).await;
    let on_b = on_a.at(&pair.b.mcp());
    assert_eq!((on_a.status().await.as_u16(), on_b.status().await.as_u16()), (200, 200));

    assert_eq!(on_b.delete().await, 204);

    assert_eq!(on_b.status().await, 404);
    eventually("the session is over on the other gateway", async || on_a.status().await == 404).await;
    eventually("the upstream is told", async || upstream.deleted().await == ["upstream-1"]).await;
}

#[tokio::test]
async fn a_gateway_that_crashes_takes_no_session_along() {
    let upstream = Upstream::start().await;
    let pair = Pair::of(&upstream).await;
    let on_a = Wire::open(&pair.a.mcp()).await;
    let on_b = on_a.at(&pair.b.mcp());

    pair.a.kill().await;

    assert_eq!(on_b.say("echo", json!({})).await, "echo in upstream-1");
}
