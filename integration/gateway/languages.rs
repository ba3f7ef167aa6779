//! Servers in TypeScript and Python, made with the official SDKs: behind the gateway the official conformance suite finds
//! nothing amiss that it does not find when it asks them directly.
//!
//! What they pass alone is asserted too, so that there is something to lose. What they fail alone belongs to extensions
//! (Tasks) and to features an SDK leaves to its user.

use serde_json::json;

use super::gateway;
use crate::harness::clients::{PySdk, TsSdk, drive_py, drive_ts};
use crate::harness::conformance::run_suite;
use crate::harness::redis::RedisServer;
use crate::harness::upstreams::Upstream;

/// A revision, and how many of its checks a layer that sends JSON makes optional: see `conformance/README.md`.
const LEGACY: (&str, usize) = ("2025-11-25", 1);
const MODERN: (&str, usize) = ("2026-07-28", 0);

#[tokio::test]
async fn typescript_v1_is_as_good_as_alone() {
    as_good_as_alone(Upstream::TsV1, LEGACY, 84).await;
}

#[tokio::test]
async fn typescript_v2_is_as_good_as_alone() {
    as_good_as_alone(Upstream::TsV2, LEGACY, 84).await;
}

#[tokio::test]
async fn typescript_v2_is_as_good_as_alone_without_sessions() {
    as_good_as_alone(Upstream::TsV2, MODERN, 161).await;
}

#[tokio::test]
async fn python_is_as_good_as_alone() {
    as_good_as_alone(Upstream::Python, LEGACY, 84).await;
}

#[tokio::test]
async fn python_is_as_good_as_alone_without_sessions() {
    as_good_as_alone(Upstream::Python, MODERN, 167).await;
}

#[tokio::test]
async fn a_server_that_knows_sessions_only_refuses_what_it_refuses_alone() {
    as_good_as_alone(Upstream::TsV1, MODERN, 11).await;
}

async fn as_good_as_alone(upstream: Upstream, (revision, optional): (&str, usize), passes_alone: usize) {
    let (server, redis) = (upstream.start().await, RedisServer::start());
    let alone = run_suite(&server.mcp(), revision).await;
    let gateway = gateway(&server.mcp(), &["--redis", &redis.url()]).await;

    let behind = run_suite(&gateway.mcp(), revision).await;

    let story = format!("alone: {alone}\nbehind the gateway: {behind}\nits log:\n{}", gateway.stderr());
    assert_eq!(alone.passed, passes_alone, "{story}");
    assert_eq!(behind.failed_beyond(&alone), [""; 0], "{story}");
    assert!(behind.passed + optional >= alone.passed, "{story}");
}

#[tokio::test]
async fn official_clients_use_an_sdks_own_example_server() {
    let server = Upstream::TsExample.start().await;
    let gateway = gateway(&server.mcp(), &[]).await;
    let options = json!({"timeoutMs": 60_000, "callTimeoutMs": 20_000});
    for sdk in TsSdk::ALL {
        let report = drive_ts(sdk, &gateway.mcp(), "quickstart", options.clone()).await;
        report.assert_clean();
        assert_eq!(report.detail("call greet"), "Hello, Ada!", "{report}");
    }
    for sdk in PySdk::ALL {
        let report = drive_py(sdk, &gateway.mcp(), "quickstart", options.clone()).await;
        report.assert_clean();
        assert_eq!(report.detail("call greet"), "Hello, Ada!", "{report}");
    }
}
