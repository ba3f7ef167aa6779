//! A server that knows nothing of us: an example of the official TypeScript SDK, behind the gateway and alone.

use super::stress;
use crate::gateway::gateway;
use crate::harness::upstreams::Upstream;

#[tokio::test]
async fn behind_the_gateway_what_it_can_show_is_met() {
    let server = Upstream::TsExample.start().await;
    let gateway = gateway(&server.mcp(), &["--idle-timeout", "10s", "--token-ttl", "1s", "--rate-limits", "off"]).await;
    let run = stress(&[gateway.mcp()], &["--time-scale", "0.02", "--idle-timeout", "10s"]).await;
    assert_eq!(run.criteria("failed"), [""; 0], "{run}");
    assert_eq!(run.status, 0, "{run}");
    let passed = run.criteria("passed");
    for name in [
        "lifecycle: the monitor shows every session",
        "concurrent: no answer is crossed",
        "reconnect: with a token: the same session under a new id",
        "stale: idle sessions are marked disconnected within a fifth of the timeout",
        "heartbeat: all with pings are active at the end",
        "feed: every viewer sees every session come and go",
    ] {
        assert!(passed.iter().any(|passed| passed == name), "{name}\n{run}");
    }
    let skipped = run.criteria("skipped");
    assert!(skipped.iter().any(|name| name.starts_with("streams: ")), "it has no countdown: {run}");
}

#[tokio::test]
async fn alone_it_is_told_what_cannot_be_seen() {
    let server = Upstream::TsExample.start().await;
    let run =
        stress(&[server.mcp()], &["--scenario", "lifecycle", "stale", "heartbeat", "--time-scale", "0.002"]).await;
    assert_eq!(run.criteria("failed"), [""; 0], "{run}");
    assert_eq!(run.status, 0, "{run}");
    let skipped = run.criteria("skipped");
    for name in [
        "lifecycle: the monitor shows every session",
        "stale: and none before",
        "heartbeat: a session without pings is marked disconnected",
    ] {
        assert!(skipped.iter().any(|skipped| skipped == name), "{name}\n{run}");
    }
    assert!(run.said().contains("there is no monitor"), "{run}");
}
