//! What does the live feed cost? How late the last of many viewers hears of an event, what an idle hour sends compared with
//! polling, and how much memory a viewer takes.
//!
//! The server is a process of its own on one core; viewers, Redis and this process share the other. Latency is taken from
//! before the event is written to when the last socket has read it, so both writing and reading are part of it.
//!
//! The idle hour is put together from what was measured: sessions of which nothing is heard any more, from their last activity
//! on. A run in which they idle after a second and pings come every second shows what is sent: the upgrade, the snapshot, the
//! events and counts of their becoming idle, then nothing but pings. The hour has one of each of the first, 144 pings, and
//! the counts once more for each threshold of age that is passed. Polling asks for health every 10 s.
//!
//! `cargo bench --bench feed -- [--sockets 1000] [--events 200] [--sessions 14]`

mod support {
    pub mod cores;
    pub mod figures;
    pub mod monitored;
    pub mod redis;
    pub mod sessions;
    pub mod watcher;

    pub use cores::pin;
    pub use figures::median;
}

use std::time::{Duration, Instant};

use clap::Parser;
use support::monitored::{Monitored, serve_if_asked};
use support::redis::PrivateRedis;
use support::watcher::Watcher;
use support::{median, sessions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tower_mcp_sessions::store::RedisStore;

/// Latency, traffic and memory of the feed.
#[derive(Parser)]
struct Options {
    /// Viewers.
    #[arg(long, default_value_t = 1000)]
    sockets: usize,
    /// Events, one after the other.
    #[arg(long, default_value_t = 200)]
    events: usize,
    /// Sessions that idle for an hour.
    #[arg(long, default_value_t = 14)]
    sessions: usize,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Longer than anything here takes.
const FOR_EVER: Duration = Duration::from_secs(3600);

fn main() {
    serve_if_asked();
    let options = Options::parse();
    let Some(redis) = PrivateRedis::start() else {
        println!("redis-server is not installed: no figures");
        return;
    };
    support::pin(false);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        crowd(&options, &redis.url()).await;
        let Some(redis) = PrivateRedis::start() else { return };
        idle_hour(&options, &redis.url()).await;
    });
}

async fn crowd(options: &Options, redis: &str) {
    let server = Monitored::start(redis, FOR_EVER, Duration::from_secs(25));
    let store = RedisStore::connect(redis).await.expect("the private Redis answers");
    for _ in 0..options.sessions {
        sessions::open(&store, "bench").await;
    }
    let mut first = Watcher::connect(server.address).await;
    read_until(&mut first, "snapshot").await;
    let before = server.memory();
    let (heard, mut hearing) = mpsc::unbounded_channel();
    for _ in 0..options.sockets {
        let mut watcher = Watcher::connect(server.address).await;
        read_until(&mut watcher, "snapshot").await;
        let heard = heard.clone();
        tokio::spawn(async move {
            while watcher.next().await.is_ok() {
                if watcher.has("session_created") {
                    let _ = heard.send(Instant::now());
                }
            }
        });
    }
    let memory = server.memory().saturating_sub(before);
    let sockets = options.sockets;
    println!("memory of a viewer: {:.1} KiB ({sockets} sockets)", memory as f64 / 1024.0 / sockets as f64);
    let mut latencies = Vec::new();
    for _ in 0..options.events {
        let written = Instant::now();
        sessions::open(&store, "bench").await;
        let mut last = written;
        for _ in 0..sockets {
            last = last.max(hearing.recv().await.expect("viewers hear"));
        }
        latencies.push((last - written).as_secs_f64() * 1e3);
        sleep(Duration::from_millis(20)).await;
    }
    latencies.sort_by(f64::total_cmp);
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    println!(
        "event written to last of {sockets} sockets: median {:.1} ms, p99 {:.1} ms, worst {:.1} ms ({} events)",
        median(&latencies),
        at(0.99),
        at(1.0),
        latencies.len()
    );
    let after = server.memory().saturating_sub(before);
    println!("memory of a viewer after that: {:.1} KiB", after as f64 / 1024.0 / sockets as f64);
}

async fn read_until(watcher: &mut Watcher, text: &str) {
    while !watcher.has(text) {
        watcher.next().await.expect("a frame");
    }
}

async fn idle_hour(options: &Options, redis: &str) {
    let ping = Duration::from_secs(1);
    let server = Monitored::start(redis, Duration::from_secs(1), ping);
    let store = RedisStore::connect(redis).await.expect("the private Redis answers");
    for _ in 0..options.sessions {
        sessions::open(&store, "bench").await;
    }
    let mut watcher = Watcher::connect(server.address).await;
    let (mut pings, mut counts) = (0, 0);
    // Longer than it takes the sessions to idle, and the hub to look twice after that.
    let settling = async {
        while pings < 13 {
            watcher.next().await.expect("a frame");
            pings += usize::from(watcher.has(r#""ping""#));
            if watcher.has(r#""events":[]"#) {
                counts = watcher.frame.len() + 4;
            }
        }
    };
    timeout(Duration::from_secs(60), settling).await.expect("pings come");
    let pinged = r#"{"t":"ping"}"#.len() + 2 + r#"{"t":"pong"}"#.len() + 6;
    let begun = watcher.bytes - pings * pinged;
    let settled = watcher.bytes;
    for _ in 0..30 {
        watcher.next().await.expect("a frame");
        assert!(watcher.has(r#""ping""#), "nothing but pings: {}", String::from_utf8_lossy(&watcher.frame));
    }
    assert_eq!(watcher.bytes - settled, 30 * pinged);
    let feed = begun + 144 * pinged + 2 * counts;
    println!(
        "idle hour of {} sessions: {begun} bytes until all is quiet, {pinged} for each ping, {counts} for counts: {feed}",
        options.sessions
    );
    let (whole, unchanged) = poll(&server).await;
    let polling = 360 * whole;
    println!("polling health every 10 s: {whole} bytes each time: {polling}");
    println!("feed of polling: {:.1} %", 100.0 * feed as f64 / polling as f64);
    println!(
        "polling with If-None-Match, had nothing changed at all: {unchanged} bytes each time; feed of that: {:.1} %",
        100.0 * feed as f64 / (360 * unchanged) as f64
    );
}

/// Bytes of asking for health and being told, and of being told that nothing has changed.
async fn poll(server: &Monitored) -> (usize, usize) {
    let ask = |tag: &str| {
        format!(
            "GET /api/mcp/sessions/health HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n{tag}Connection: close\r\n\r\n"
        )
    };
    let whole = exchange(server, &ask("")).await;
    let text = String::from_utf8_lossy(&whole).into_owned();
    let tag = text.lines().find_map(|line| line.strip_prefix("etag: ")).expect("a tag");
    let request = ask(&format!("If-None-Match: {tag}\r\n"));
    let unchanged = exchange(server, &request).await;
    assert!(unchanged.starts_with(b"HTTP/1.1 304"));
    (ask("").len() + whole.len(), request.len() + unchanged.len())
}

async fn exchange(server: &Monitored, request: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    answer
}
