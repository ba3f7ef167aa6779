//! The official conformance suite finds as much behind the layer as without it, and nothing amiss.

use crate::harness::conformance::run_suite;
use crate::harness::process::Process;
use crate::harness::proxy::Proxy;
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

/// Two replicas, each request to the next one: without the layer 30 of these 83 pass.
#[tokio::test]
async fn the_suite_of_2025_11_25_passes_on_two_replicas_behind_a_round_robin() {
    passes_on_two(LEGACY, &["--keep-streams"]).await;
}

#[tokio::test]
async fn the_suite_of_2025_11_25_finds_nothing_amiss_on_two_replicas_with_plain_answers() {
    passes_on_two(LEGACY_WITH_PLAIN_ANSWERS, &[]).await;
}

/// What fails here fails without the layer too: the tasks of this server live in the memory of one process.
#[tokio::test]
async fn the_suite_of_2026_07_28_finds_on_two_replicas_what_it_finds_without_the_layer() {
    let bare = [Process::conformance_server(&[]).await, Process::conformance_server(&[]).await];
    let without = run_suite(&Proxy::over(bare.iter().map(Process::address)).await.mcp(), MODERN.0).await;

    let redis = RedisServer::start();
    let behind = pair(&redis, &[]).await;
    let with = run_suite(&Proxy::over(behind.iter().map(Process::address)).await.mcp(), MODERN.0).await;

    let beyond: Vec<_> = with.failures.iter().filter(|failure| !failure.starts_with("tasks-")).collect();
    assert_eq!(beyond, Vec::<&String>::new(), "{with}");
    assert!(with.passed >= without.passed.min(170), "with: {with}\nwithout: {without}");
}

async fn passes_on_two(expected: (&str, usize), arguments: &[&str]) {
    let redis = RedisServer::start();
    let replicas = pair(&redis, arguments).await;
    let proxy = Proxy::over(replicas.iter().map(Process::address)).await;
    let found = run_suite(&proxy.mcp(), expected.0).await;
    let [a, b] = &replicas;
    assert_eq!((found.passed, found.failed), (expected.1, 0), "{found}\na: {}\nb: {}", a.stderr(), b.stderr());
}

async fn pair(redis: &RedisServer, arguments: &[&str]) -> [Process; 2] {
    let url = redis.url();
    // The suite ends a session on one and expects the very next request, on the other, to be told so.
    let arguments = [&["--sessions", "redis", "--redis", &url, "--strict"], arguments].concat();
    [Process::conformance_server(&arguments).await, Process::conformance_server(&arguments).await]
}

async fn passes((revision, checks): (&str, usize), arguments: &[&str]) {
    let server = Process::conformance_server(arguments).await;
    let found = run_suite(&server.mcp(), revision).await;
    assert_eq!((found.passed, found.failed), (checks, 0), "{found}\nthe server's stderr:\n{}", server.stderr());
}
