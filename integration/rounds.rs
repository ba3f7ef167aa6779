//! Rounds of official clients: session after session, several at a time, each with calls, progress, a question to the client,
//! notifications on the GET stream and a DELETE. What a round is, is written in `clients/ts/rounds.mjs`,
//! `clients/py/rounds.py` and `sdk/rounds.rs`.

mod python;
mod resting;
mod rust;
mod typescript;

use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::harness::clients::{DriveReport, Interrupted, PySdk, RoundsSummary, TsSdk, drive_py, drive_ts};
use crate::harness::eventually::within;
use crate::harness::process::Process;
use crate::harness::proxy::Proxy;
use crate::harness::redis::RedisServer;
use crate::harness::size::size;
use crate::sdk::rounds::rounds;

/// What a round sends at least.
const REQUESTS_PER_ROUND: usize = 16;

/// Of a hundred rounds, how many notes may have to be put again: what a client asks of a replica, the others know a moment
/// later. If they never knew, it would be more than a hundred.
const REPEATED_AT_MOST: usize = 20;

/// No requirement: only what keeps a test from hanging.
const THIRD_WITHIN: Duration = Duration::from_secs(120);

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
        json!({"rounds": rounds, "parallel": size(4, 8), "ask": ask, "timeoutMs": 60_000 + 200 * rounds})
    }
}

/// Replicas of the example server behind one URL.
struct Cluster {
    replicas: Vec<Process>,
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
            // What is tested here is not how quickly a machine with much else to do gets to its Redis.
            let arguments = ["--redis", &redis.url(), "--redis-timeout", "5s", "--replica", &name.to_string()];
            replicas.push(Process::server(&arguments).await);
        }
        Self::behind_a_balancer(replicas, Some(redis)).await
    }

    async fn behind_a_balancer(replicas: Vec<Process>, redis: Option<RedisServer>) -> Self {
        let proxy = Proxy::over(replicas.iter().map(Process::address)).await;
        Self { replicas, proxy, _redis: redis }
    }

    /// Plays so many rounds; each step of each must go well.
    async fn play(&self, client: Client, rounds: usize) -> RoundsSummary {
        let report = client.rounds(&self.proxy.mcp(), client.options(rounds)).await;
        println!("{report}");
        report.assert_clean();
        let summary = report.rounds.clone().expect("a summary");
        assert_eq!((summary.total, summary.done), (rounds, rounds), "{report}");
        assert!(summary.duplicates.is_empty() && summary.interrupted.is_empty(), "{report}");
        assert!(is_spread(&summary), "{report}");
        summary
    }

    /// Plays so many rounds, and kills a replica when a third of them are played. A call that it was busy with may fail, once,
    /// and what it was about to say may go unsaid; all else must go well, and everything in rounds that begin later.
    async fn play_and_lose_one(&mut self, client: Client, rounds: usize) {
        let mut options = client.options(rounds);
        options["tolerate"] = "interrupted calls".into();
        let url = self.proxy.mcp();
        let is_over = Cell::new(false);
        let playing = async {
            let report = client.rounds(&url, options).await;
            is_over.set(true);
            report
        };
        let killing = async {
            let third = rounds * REQUESTS_PER_ROUND / 3;
            within(THIRD_WITHIN, "a third is played", async || self.proxy.forwarded() >= third).await;
            let lost = self.replicas.pop().expect("a replica").kill().await;
            assert!(!lost.status.success() && !is_over.get(), "it was killed while rounds were played: {lost:?}");
            SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_millis()
        };
        let (report, killed) = tokio::join!(playing, killing);
        println!("{report}");
        let summary = report.rounds.as_ref().expect("a summary");
        assert!(report.ok && summary.done == rounds && is_spread(summary), "{report}");
        let is_of_its_time = |interrupted: &Interrupted| u128::from(interrupted.began) <= killed;
        assert!(summary.interrupted.iter().all(is_of_its_time), "{report}");
    }
}

/// Whether what clients asked of one replica reached the others in good time.
fn is_spread(summary: &RoundsSummary) -> bool {
    summary.repeated * 100 <= summary.total * REPEATED_AT_MOST
}

/// With sessions in memory, and more rounds in Redis.
async fn on_one_replica(client: Client) {
    for (cluster, rounds) in [(Cluster::in_memory().await, 10), (Cluster::of(1).await, size(15, 1000))] {
        let summary = cluster.play(client, rounds).await;
        assert_eq!(summary.late_answers, 0, "the only replica knows at once that a session has ended");
    }
}

/// Without sticky routing.
async fn on_three_replicas(client: Client) {
    Cluster::of(3).await.play(client, size(20, 1000)).await;
}

/// One of three is killed, and no session is lost.
async fn survives_the_loss_of_a_replica(client: Client) {
    Cluster::of(3).await.play_and_lose_one(client, size(32, 1000)).await;
}
