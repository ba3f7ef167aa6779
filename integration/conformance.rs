//! The official conformance suite finds as much behind the layer as without it, and nothing amiss.

use crate::harness::conformance::run_suite;
use crate::harness::process::Process;
use crate::harness::redis::RedisServer;

/// A revision, and how many checks the bare conformance server passes (see `conformance/README.md`).
const LEGACY: (&str, usize) = ("2025-11-25", 83);
const MODERN: (&str, usize) = ("2026-07-28", 197);

/// One check of 2025-11-25 wants three streams at once and calls JSON answers optional instead of passed. By default the layer
/// sends the answers it asks for as JSON, so this check neither passes nor fails.
const LEGACY_WITH_PLAIN_ANSWERS: (&str, usize) = ("2025-11-25", 82);

#[tokio::test]
async fn the_suite_of_2025_11_25_passes_with_sessions_in_memory() {
    passes(LEGACY, &["--sessions", "memory", "--keep-streams"]).await;
}

#[tokio::test]
async fn the_suite_of_2025_11_25_passes_with_sessions_in_redis() {
    let redis = RedisServer::start();
    passes(LEGACY, &["--sessions", "redis", "--redis", &redis.url(), "--keep-streams"]).await;
}

#[tokio::test]
async fn the_suite_of_2025_11_25_passes_when_redis_is_asked_each_time() {
    let redis = RedisServer::start();
    passes(LEGACY, &["--sessions", "redis", "--redis", &redis.url(), "--strict", "--keep-streams"]).await;
}

#[tokio::test]
async fn the_suite_of_2025_11_25_finds_nothing_amiss_with_plain_answers() {
    let redis = RedisServer::start();
    passes(LEGACY_WITH_PLAIN_ANSWERS, &["--sessions", "redis", "--redis", &redis.url()]).await;
}

#[tokio::test]
async fn the_suite_of_2026_07_28_passes_with_sessions_in_memory() {
    passes(MODERN, &["--sessions", "memory"]).await;
}

#[tokio::test]
async fn the_suite_of_2026_07_28_passes_with_sessions_in_redis() {
    let redis = RedisServer::start();
    passes(MODERN, &["--sessions", "redis", "--redis", &redis.url()]).await;
}

async fn passes((revision, checks): (&str, usize), arguments: &[&str]) {
    let server = Process::conformance_server(arguments).await;
    let found = run_suite(&server.mcp(), revision).await;
    assert_eq!((found.passed, found.failed), (checks, 0), "{found}\nthe server's stderr:\n{}", server.stderr());
}
