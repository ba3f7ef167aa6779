//! Two gateways on one Redis, in front of one upstream that knows nothing of either.

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
        let redis = RedisServer::start();
        let (url, mcp) = (redis.url(), upstream.mcp());
        let replica = async |name| gateway(&mcp, &["--redis", &url, "--replica", name]).await;
        Self { a: replica("a").await, b: replica("b").await, _redis: redis }
    }
}

#[tokio::test]
async fn a_session_opened_on_one_is_good_on_the_other() {
    let upstream = Upstream::start().await;
    let pair = Pair::of(&upstream).await;
    let on_a = Wire::open(&pair.a.mcp()).await;
    let on_b = on_a.at(&pair.b.mcp());

    assert_eq!(on_a.say("echo", json!({})).await, "echo in upstream-1");
    // The other gateway has told the upstream the same handshake, and has a session of its own there.
    assert_eq!(on_b.say("echo", json!({})).await, "echo in upstream-2");
    assert_eq!(on_a.say("echo", json!({})).await, "echo in upstream-1");
    let handshakes = upstream.asked("initialize").await;
    assert_eq!(handshakes[0].body, handshakes[1].body);
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
    eventually("the upstream is told of both its sessions", async || {
        let mut deleted = upstream.deleted().await;
        deleted.sort();
        deleted == ["upstream-1", "upstream-2"]
    })
    .await;
}

#[tokio::test]
async fn a_gateway_that_crashes_takes_no_session_along() {
    let upstream = Upstream::start().await;
    let pair = Pair::of(&upstream).await;
    let on_a = Wire::open(&pair.a.mcp()).await;
    let on_b = on_a.at(&pair.b.mcp());

    pair.a.kill().await;

    assert_eq!(on_b.say("echo", json!({})).await, "echo in upstream-2");
}
