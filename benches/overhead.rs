//! What does the layer cost a small request? Bare inner service against the layer with sessions in memory, in Redis with
//! cached verdicts, and in Redis asked every time.
//!
//! Interleaved: every round loads each variant in turn, and a ratio compares two of the same round. The server has one core
//! and is its bottleneck; the load and Redis share the other. Ratios hold on a noisy machine, requests per second do not.
//!
//! `cargo bench --bench overhead -- [--rounds 9] [--seconds 1.0] [--connections 32]`

mod support;

use std::time::{Duration, Instant};

use clap::Parser;
use support::redis::PrivateRedis;
use support::server::{Variant, serve};
use support::{load, median};

/// Ratios of requests per second, layer against bare.
#[derive(Parser)]
struct Options {
    /// How often each variant is loaded.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Seconds of load per variant and round.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Keep-alive connections, each with a session of its own.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let options = Options::parse();
    let redis = PrivateRedis::start();
    let mut variants = vec![Variant::Bare, Variant::Memory];
    match &redis {
        Some(redis) => variants.extend([Variant::RedisCached(redis.url()), Variant::RedisStrict(redis.url())]),
        None => println!("redis-server is not installed: no figures for Redis"),
    }
    let servers: Vec<_> = variants.iter().map(serve).collect();
    let clients: Vec<_> =
        servers.iter().map(|server| load::Clients::connect(server.address, options.connections)).collect();

    let mut rates = vec![Vec::new(); variants.len()];
    for round in 0..=options.rounds {
        for (at, clients) in clients.iter().enumerate() {
            let started = Instant::now();
            let answered = clients.run(Duration::from_secs_f64(options.seconds));
            let rate = answered as f64 / started.elapsed().as_secs_f64();
            if round > 0 {
                rates[at].push(rate);
            }
        }
    }

    println!("{} connections, {} rounds of {} s each\n", options.connections, options.rounds, options.seconds);
    println!("{:<28} {:>12} {:>10} {:>16}", "variant", "requests/s", "of bare", "(min – max)");
    for (variant, rate) in variants.iter().zip(&rates) {
        let ratios: Vec<f64> = rate.iter().zip(&rates[0]).map(|(rate, bare)| rate / bare).collect();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        println!(
            "{:<28} {:>12.0} {:>10.3} {:>16}",
            variant.name(),
            median(rate),
            median(&ratios),
            format!("({least:.2} – {most:.2})")
        );
    }
}
