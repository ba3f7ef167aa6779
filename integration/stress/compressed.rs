//! Every scenario at a fiftieth of its time, against real processes. The idle timeout is a little longer than a fiftieth: "within a
//! fifth of it" must leave room for a machine that is busy.

use std::path::Path;

use super::{Run, stress};
use crate::harness::process::Process;
use crate::harness::redis::RedisServer;

const SCENARIOS: [&str; 8] =
    ["lifecycle", "concurrent", "round-robin", "streams", "reconnect", "stale", "heartbeat", "feed"];
const SERVER: [&str; 6] = ["--idle-timeout", "10s", "--token-ttl", "1s", "--rate-limits", "off"];
const COMPRESSED: [&str; 4] = ["--time-scale", "0.02", "--idle-timeout", "10s"];

#[tokio::test]
async fn one_server_with_its_sessions_in_memory_meets_every_criterion() {
    let server = Process::server(&SERVER).await;
    let run = stress(&[server.mcp()], &COMPRESSED).await;
    assert_played(&run);
    let skipped = run.criteria("skipped");
    let expected = |name: &str| {
        name.starts_with("round-robin: ") || name.starts_with("goals: traffic") || name.starts_with("goals: memory")
    };
    assert!(skipped.iter().all(|name| expected(name)), "{skipped:?}\n{run}");
}

#[tokio::test]
async fn three_on_redis_meet_every_criterion() {
    let redis = RedisServer::start();
    let secret = tempfile::tempdir().expect("the temporary directory can be written");
    let secret = secret.path().join("secret");
    std::fs::write(&secret, "first 0123456789abcdef0123456789abcdef0123456789abcdef\n").expect("a file can be written");
    let servers = [replica(&redis, &secret).await, replica(&redis, &secret).await, replica(&redis, &secret).await];
    let pids = servers.each_ref().map(|server| server.id().to_string());

    let urls = servers.each_ref().map(Process::mcp);
    let pids: Vec<_> = pids.iter().flat_map(|pid| ["--pid", pid]).collect();
    let run = stress(&urls, &[&COMPRESSED[..], &["--principal-header", "x-user"], &pids].concat()).await;

    assert_played(&run);
    let skipped = run.criteria("skipped");
    assert!(skipped.iter().all(|name| name.starts_with("goals: traffic")), "{skipped:?}\n{run}");
}

async fn replica(redis: &RedisServer, secret: &Path) -> Process {
    let (url, secret) = (redis.url(), secret.to_str().expect("a path in Unicode"));
    let own = ["--redis", &url, "--redis-timeout", "5s", "--principal-header", "x-user", "--secret-file", secret];
    Process::server(&[&SERVER[..], &own].concat()).await
}

/// All scenarios were played, and nothing failed.
fn assert_played(run: &Run) {
    assert_eq!(run.criteria("failed"), [""; 0], "{run}");
    assert_eq!(run.status, 0, "{run}");
    let report = run.report();
    let played: Vec<_> = report["scenarios"].as_array().expect("a list").iter().map(|played| &played["name"]).collect();
    assert_eq!(played, SCENARIOS, "{run}");
    for played in report["scenarios"].as_array().expect("a list") {
        let failures = played["failures"].as_object().expect("failures by kind");
        assert!(failures.is_empty(), "{failures:?}\n{run}");
    }
}
