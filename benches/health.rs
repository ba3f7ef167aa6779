//! Does looking after a million sessions cost more than after a thousand? Two private Redis servers, one with many sessions
//! and one with few, are asked in turn for what `health` needs; the ratio compares times that Redis itself measured in the
//! same run. Then the API over HTTP, with many sessions.
//!
//! `cargo bench --bench health -- [--few 1000] [--many 1000000] [--rounds 200]`. A million takes Redis about 1 GiB.

mod support {
    pub mod cores;
    pub mod figures;
    pub mod monitored;
    pub mod redis;
    pub mod sessions;

    pub use cores::pin;
    pub use figures::median;
}

use std::process::Command;
use std::time::{Duration, Instant};

use clap::Parser;
use futures::future::join_all;
use support::monitored::{Monitored, serve_if_asked};
use support::redis::PrivateRedis;
use support::{median, sessions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower_mcp_sessions::SessionKey;
use tower_mcp_sessions::store::{AgeLimits, RedisStore, Survey};

/// What `health` costs Redis, and how long the API takes.
#[derive(Parser)]
struct Options {
    /// Sessions to compare with.
    #[arg(long, default_value_t = 1000)]
    few: usize,
    /// Sessions.
    #[arg(long, default_value_t = 1_000_000)]
    many: usize,
    /// How often each is asked.
    #[arg(long, default_value_t = 200)]
    rounds: usize,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    serve_if_asked();
    let options = Options::parse();
    let (Some(few), Some(many)) = (PrivateRedis::start(), PrivateRedis::start()) else {
        println!("redis-server is not installed: no figures");
        return;
    };
    support::pin(true);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        fill(&few, options.few).await;
        let key = fill(&many, options.many).await;
        compare(&options, &few, &many).await;
        answers(&options, &many, key).await;
    });
}

/// Opens sessions of a few clients; returns one of them.
async fn fill(redis: &PrivateRedis, count: usize) -> SessionKey {
    let begun = Instant::now();
    let store = RedisStore::builder(redis.url()).response_timeout(Duration::from_secs(10)).connect().await;
    let store = store.expect("the private Redis answers");
    let before = info(redis, "memory", "used_memory:");
    let fill = |at: usize| {
        let store = store.clone();
        async move {
            for turn in (at..count).step_by(16) {
                sessions::open(&store, ["claude-ai", "cursor", "inspector"][turn % 3]).await;
            }
        }
    };
    join_all((0..16).map(fill)).await;
    let memory = info(redis, "memory", "used_memory:") - before;
    println!("{count} sessions in {:.0?}: {} bytes of Redis each", begun.elapsed(), memory / count as u64);
    sessions::open(&store, "claude-ai").await
}

async fn compare(options: &Options, few: &PrivateRedis, many: &PrivateRedis) {
    let stores = [asked(few).await, asked(many).await];
    let mut measured = [Vec::new(), Vec::new()];
    for round in 0..=options.rounds {
        for (at, redis) in [few, many].into_iter().enumerate() {
            let before = time_of_commands(redis);
            stores[at].vitals(&AgeLimits::default()).await.expect("an answer");
            stores[at].page(None, None, 20).await.expect("an answer");
            if round > 0 {
                measured[at].push((time_of_commands(redis) - before) as f64);
            }
        }
    }
    let [few, many] = measured.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times
    });
    let worst = |times: &[f64]| times.last().copied().unwrap_or(f64::NAN) / 1e3;
    println!(
        "Redis time of health, {} sessions: median {:.3} ms, worst {:.3} ms",
        options.few,
        median(&few) / 1e3,
        worst(&few)
    );
    println!(
        "Redis time of health, {} sessions: median {:.3} ms, worst {:.3} ms",
        options.many,
        median(&many) / 1e3,
        worst(&many)
    );
    println!("many of few: {:.2}", median(&many) / median(&few));
}

async fn asked(redis: &PrivateRedis) -> RedisStore {
    RedisStore::connect(&redis.url()).await.expect("the private Redis answers")
}

/// Microseconds that Redis has spent on scripts and reads so far.
fn time_of_commands(redis: &PrivateRedis) -> u64 {
    let stats = cli(redis, &["INFO", "commandstats"]);
    let spent = |line: &str| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(':')?;
        // What scripts call is part of the scripts' own time.
        let counts = matches!(name, "evalsha" | "evalsha_ro" | "eval" | "eval_ro" | "fcall" | "fcall_ro");
        let usec = rest.split(',').find_map(|field| field.strip_prefix("usec="))?;
        counts.then(|| usec.parse::<u64>().unwrap_or_default())
    };
    let scripts: u64 = stats.lines().filter_map(spent).sum();
    let gets = stats.lines().find_map(|line| line.strip_prefix("cmdstat_get:"));
    let gets = gets.and_then(|line| line.split(',').find_map(|field| field.strip_prefix("usec=")));
    scripts + gets.and_then(|usec| usec.parse().ok()).unwrap_or(0)
}

fn info(redis: &PrivateRedis, section: &str, field: &str) -> u64 {
    let text = cli(redis, &["INFO", section]);
    text.lines().find_map(|line| line.strip_prefix(field)?.trim().parse().ok()).unwrap_or_default()
}

fn cli(redis: &PrivateRedis, words: &[&str]) -> String {
    let output = Command::new("redis-cli").args(["-u", &redis.url()]).args(words).output();
    String::from_utf8_lossy(&output.expect("redis-cli is installed").stdout).into_owned()
}

async fn answers(options: &Options, redis: &PrivateRedis, key: SessionKey) {
    let server = Monitored::start(&redis.url(), Duration::from_secs(3600), Duration::from_secs(25));
    println!("\n{:<44} {:>10} {:>10}", format!("API with {} sessions", options.many), "median", "p99");
    let detail = format!("/{key}");
    for path in ["/health", "?limit=50", "?limit=500", "?q=nobody", "?client=cursor&status=active", &detail, "/events"]
    {
        let mut times = Vec::new();
        for _ in 0..options.rounds.min(100) {
            times.push(exchange(&server, path).await);
        }
        times.sort_by(f64::total_cmp);
        let shown = if path == detail { "/{key}" } else { path };
        let p99 = times[(times.len() - 1) * 99 / 100];
        println!("{:<44} {:>7.1} ms {:>7.1} ms", format!("GET /api/mcp/sessions{shown}"), median(&times), p99);
    }
    println!("memory of the replica that answered: {:.1} MiB", server.memory() as f64 / f64::from(1 << 20));
}

/// How long a request takes, in milliseconds.
async fn exchange(server: &Monitored, path: &str) -> f64 {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
    let request = format!("GET /api/mcp/sessions{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    begun.elapsed().as_secs_f64() * 1e3
}
