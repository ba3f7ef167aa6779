//! Rounds of official clients: session after session, several at a time, each with calls, progress, a question to the client,
//! notifications on the GET stream and a DELETE. What a round is, is written in `clients/ts/rounds.mjs`,
//! `clients/py/rounds.py` and `sdk/rounds.rs`.

mod python;
mod rust;
mod typescript;

use serde_json::{Value, json};

use crate::harness::clients::{DriveReport, PySdk, RoundsSummary, TsSdk, drive_py, drive_ts};
use crate::harness::process::Process;
use crate::harness::proxy::Proxy;
use crate::harness::redis::RedisServer;
use crate::harness::size::size;
use crate::sdk::rounds::rounds;

/// An official client.
#[derive(Clone, Copy, Debug)]
enum Client {
    TypeScript(TsSdk),
    Python(PySdk),
    Rust,
}

impl Client {
    /// Plays rounds against the MCP endpoint `url`.
    async fn rounds(self, url: &str, options: Value) -> DriveReport {
        match self {
            Self::TypeScript(sdk) => drive_ts(sdk, url, "rounds", options).await,
            Self::Python(sdk) => drive_py(sdk, url, "rounds", options).await,
            Self::Rust => rounds(url, options).await,
        }
    }

    /// What a driver has to know to play so many rounds.
    fn options(self, rounds: usize) -> Value {
        let ask = if matches!(self, Self::Python(PySdk::V1_9_4)) { "error" } else { "answer" };
        json!({"rounds": rounds, "parallel": 8, "ask": ask, "timeoutMs": 60_000 + 200 * rounds})
    }
}

/// Replicas of the example server behind one URL.
struct Cluster {
    _replicas: Vec<Process>,
    proxy: Proxy,
    _redis: Option<RedisServer>,
}

impl Cluster {
    /// One replica, with sessions in its memory.
    async fn in_memory() -> Self {
        Self::behind_a_balancer(vec![Process::server(&[]).await], None).await
    }

    /// So many replicas, with sessions in one Redis.
    async fn of(size: usize) -> Self {
        let redis = RedisServer::start();
        let mut replicas = Vec::new();
        for name in 0..size {
            replicas.push(Process::server(&["--redis", &redis.url(), "--replica", &name.to_string()]).await);
        }
        Self::behind_a_balancer(replicas, Some(redis)).await
    }

    async fn behind_a_balancer(replicas: Vec<Process>, redis: Option<RedisServer>) -> Self {
        let proxy = Proxy::over(replicas.iter().map(Process::address)).await;
        Self { _replicas: replicas, proxy, _redis: redis }
    }

    /// Plays so many rounds; each step of each must go well.
    async fn play(&self, client: Client, rounds: usize) -> RoundsSummary {
        let report = client.rounds(&self.proxy.mcp(), client.options(rounds)).await;
        println!("{report}");
        report.assert_clean();
        let summary = report.rounds.clone().expect("a summary");
        assert_eq!((summary.total, summary.done), (rounds, rounds), "{report}");
        assert!(summary.duplicates.is_empty() && summary.interrupted.is_empty(), "{report}");
        summary
    }
}

/// With sessions in memory, and more rounds in Redis.
async fn on_one_replica(client: Client) {
    for (cluster, rounds) in [(Cluster::in_memory().await, 25), (Cluster::of(1).await, size(25, 1000))] {
        let summary = cluster.play(client, rounds).await;
        assert_eq!(summary.late_answers, 0, "the only replica knows at once that a session has ended");
    }
}
