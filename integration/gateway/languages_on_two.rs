//! The same servers behind two gateways that take turns, as a load balancer without sticky routing has it: questions find
//! their answers and streams resume, whichever gateway a request reaches.

use super::gateway;
use crate::harness::conformance::run_suite;
use crate::harness::proxy::Proxy;
use crate::harness::redis::RedisServer;
use crate::harness::upstreams::Upstream;

#[tokio::test]
async fn typescript_v1_is_as_good_as_alone() {
    as_good_as_alone(Upstream::TsV1).await;
}

#[tokio::test]
async fn typescript_v2_is_as_good_as_alone() {
    as_good_as_alone(Upstream::TsV2).await;
}

#[tokio::test]
async fn python_is_as_good_as_alone() {
    as_good_as_alone(Upstream::Python).await;
}

async fn as_good_as_alone(upstream: Upstream) {
    const REVISION: &str = "2025-11-25";
    let (server, redis) = (upstream.start().await, RedisServer::start());
    let alone = run_suite(&server.mcp(), REVISION).await;
    let (mcp, url) = (server.mcp(), redis.url());
    // The suite ends a session on one and expects the very next request, on the other, to be told so: that takes `--strict`.
    let options = ["--redis", &url, "--redis-timeout", "5s", "--strict", "--replica"];
    let replica = async |name| gateway(&mcp, &[&options[..], &[name]].concat()).await;
    let (a, b) = (replica("a").await, replica("b").await);
    let balanced = Proxy::over([a.address(), b.address()]).await;

    let behind = run_suite(&balanced.mcp(), REVISION).await;

    let logs = format!("a's log:\n{}\nb's log:\n{}", a.stderr(), b.stderr());
    let story = format!("alone: {alone}\nbehind two gateways: {behind}\n{logs}");
    assert_eq!(alone.failures, [""; 0], "{story}");
    assert_eq!(behind.failures, [""; 0], "{story}");
    // One check calls JSON answers optional instead of passed.
    assert!(behind.passed + 1 >= alone.passed, "{story}");
}
