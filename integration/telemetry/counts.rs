//! The counts of the `metrics` facade. Recorders are of one thread here, and so are the replicas of these tests.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tower_mcp_sessions::store::SessionStore;
use tower_mcp_sessions::{RateLimits, ReconnectKeys};

use crate::harness::backend::Backend;
use crate::harness::eventually::eventually;
use crate::harness::raw::{RECONNECT_TOKEN, VERSION, initialize, modern};
use crate::harness::trio::Trio;

/// What was counted, by name and labels; of times, how many were told.
struct Counts(Snapshotter, BTreeMap<String, u64>);

impl Counts {
    fn new(recorder: &DebuggingRecorder) -> Self {
        Self(recorder.snapshotter(), BTreeMap::new())
    }

    /// A snapshot takes what was counted since the one before.
    fn look(&mut self) {
        for (key, _, _, value) in self.0.snapshot().into_vec() {
            let labels: Vec<_> = key.key().labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
            let name = format!("{}{{{}}}", key.key().name(), labels.join(","));
            let seen = match value {
                DebugValue::Counter(count) => count,
                DebugValue::Gauge(_) => 0,
                DebugValue::Histogram(values) => values.len() as u64,
            };
            *self.1.entry(name).or_default() += seen;
        }
    }

    fn of(&self, name: &str) -> u64 {
        self.1.iter().filter(|(counted, _)| counted.starts_with(name)).map(|(_, count)| count).sum()
    }
}

#[tokio::test]
async fn opened_less_ended_is_what_lives_in_memory() {
    opened_less_ended_is_what_lives(Backend::Memory).await;
}

#[tokio::test]
async fn opened_less_ended_is_what_lives_in_redis() {
    opened_less_ended_is_what_lives(Backend::Redis).await;
}

async fn opened_less_ended_is_what_lives(backend: Backend) {
    let recorder = DebuggingRecorder::new();
    let mut counts = Counts::new(&recorder);
    let _guard = metrics::set_default_local_recorder(&recorder);
    let keys = ReconnectKeys::new("first", b"thirty-two bytes of a secret, or more").unwrap();
    let trio = Trio::with_monitor(backend, |_, builder| {
        let keys = keys.clone();
        builder.idle_timeout(Duration::from_secs(1)).reconnect(keys).rate_limits(RateLimits::off())
    })
    .await;

    let mut sessions = Vec::new();
    for _ in 0..5 {
        sessions.push(trio.open().await);
    }
    let [deleted, ..] = &sessions[..] else { unreachable!("five were opened") };
    assert!(deleted.delete().await.status.is_success());
    let token = {
        let answer = trio.client().post(&initialize("2025-11-25")).await.whole().await;
        answer.reconnect_token().expect("a token comes with the answer")
    };
    let came_back = trio.client().at(&trio.replicas[1]).with(RECONNECT_TOKEN, &token);
    assert_eq!(came_back.post(&initialize("2025-11-25")).await.status, StatusCode::OK);
    assert_eq!(came_back.post(&initialize("2025-11-25")).await.status, StatusCode::CONFLICT);
    assert_eq!(trio.client().with(VERSION, "2026-07-28").post(&modern("tools/list")).await.status, StatusCode::OK);
    eventually("all sessions are idle", async || trio.store.census().await.unwrap().active == 0).await;
    let returned = sessions[1].at(&trio.replicas[2]).client.with("x-user", "the first to have it");
    assert_eq!(returned.call("tools/list", serde_json::json!({})).await.status, StatusCode::OK);

    let census = trio.store.census().await.unwrap();
    counts.look();
    let live = census.active + census.disconnected;
    let (opened, ended) = (counts.of("mcp_sessions_opened_total"), counts.of("mcp_sessions_ended_total"));
    assert_eq!((opened, ended, live), (6, 1, 5), "{:#?}", counts.1);
    assert_eq!(counts.of("mcp_sessions_ended_total{reason=closed_by_client}"), 1);
    assert_eq!(counts.of("mcp_sessions_disconnected_total"), 5);
    assert_eq!(counts.of("mcp_sessions_reconnected_total{how=token}"), 1);
    assert_eq!(counts.of("mcp_sessions_reconnected_total{how=return}"), 1);
    assert_eq!(counts.of("mcp_sessions_adopted_total"), 1);
    assert_eq!(counts.of("mcp_sessions_reconnect_attempts_total{door=initialize,outcome=token_mismatch}"), 1);
    assert_eq!(counts.of("mcp_sessions_requests_total{era=modern,status=2xx}"), 1);
    assert_eq!(counts.of("mcp_sessions_requests_total{era=legacy,status=4xx}"), 1);
    assert_eq!(counts.of("mcp_sessions_request_duration_seconds"), counts.of("mcp_sessions_requests_total"));
}
