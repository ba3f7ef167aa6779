//! What does the layer cost a small request? A bare inner service, of three kinds, against the layer with sessions in memory, in Redis with
//! cached verdicts, and in Redis asked every time.
//!
//! Interleaved: every round loads each variant in turn, and a ratio compares two of the same round. The server has one core
//! and is its bottleneck; the load and Redis share the other. Ratios hold on a noisy machine, requests per second do not; the
//! server's CPU time per request holds best.
//!
//! `cargo bench --bench overhead -- [--rounds 9] [--seconds 1.0] [--connections 32] [--inner rmcp] [--era modern]`

mod support;

use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use support::inner::Inner;
use support::load::Era;
use support::redis::PrivateRedis;
use support::server::{Server, Variant, serve};
use support::{load, median};

/// Requests per second and the server's CPU time per request, layer against bare.
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
    /// Only these inner services.
    #[arg(long, value_enum)]
    inner: Vec<Inner>,
    /// The revision that is spoken.
    #[arg(long, value_enum, default_value = "legacy")]
    era: Era,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let options = Options::parse();
    let redis = PrivateRedis::start();
    if redis.is_none() {
        println!("redis-server is not installed: no figures for Redis");
    }
    println!("{} connections, {} rounds of {} s each", options.connections, options.rounds, options.seconds);
    for inner in Inner::value_variants() {
        if options.inner.is_empty() || options.inner.contains(inner) {
            compare(&options, *inner, redis.as_ref());
        }
    }
}

fn compare(options: &Options, inner: Inner, redis: Option<&PrivateRedis>) {
    let mut variants = vec![Variant::Bare, Variant::Memory];
    if let (Some(redis), Era::Legacy) = (redis, options.era) {
        variants.extend([Variant::RedisCached(redis.url()), Variant::RedisStrict(redis.url())]);
    }
    let servers: Vec<_> = variants.iter().map(|variant| serve(variant, inner)).collect();
    let clients: Vec<_> =
        servers.iter().map(|server| load::Clients::connect(server.address, options.connections, options.era)).collect();
    let mut measured = vec![Vec::new(); variants.len()];
    for round in 0..=options.rounds {
        for (at, (server, clients)) in servers.iter().zip(&clients).enumerate() {
            let sample = Sample::take(server, clients, options.seconds);
            if round > 0 {
                measured[at].push(sample);
            }
        }
    }
    println!(
        "\n{:<22} {:>10} {:>8} {:>15} {:>14} {:>8}",
        inner.name(),
        "requests/s",
        "of bare",
        "(min – max)",
        "CPU/request",
        "of bare"
    );
    for (variant, samples) in variants.iter().zip(&measured) {
        report(variant, samples, &measured[0]);
    }
}

/// One variant in one round.
#[derive(Clone, Copy)]
struct Sample {
    per_second: f64,
    cpu_micros: f64,
}

impl Sample {
    fn take(server: &Server, clients: &load::Clients, seconds: f64) -> Self {
        let (started, cpu) = (Instant::now(), server.cpu_time());
        let answered = clients.run(Duration::from_secs_f64(seconds)) as f64;
        Self {
            per_second: answered / started.elapsed().as_secs_f64(),
            cpu_micros: (server.cpu_time() - cpu).as_secs_f64() * 1e6 / answered,
        }
    }
}

fn report(variant: &Variant, samples: &[Sample], bare: &[Sample]) {
    let ratios = |figure: fn(&Sample) -> f64| -> Vec<f64> {
        samples.iter().zip(bare).map(|(sample, bare)| figure(sample) / figure(bare)).collect()
    };
    let rates = ratios(|sample| sample.per_second);
    let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
    let most = rates.iter().copied().fold(0.0, f64::max);
    println!(
        "{:<22} {:>10.0} {:>8.3} {:>15} {:>11.1} µs {:>8.3}",
        variant.name(),
        median(&samples.iter().map(|sample| sample.per_second).collect::<Vec<_>>()),
        median(&rates),
        format!("({least:.2} – {most:.2})"),
        median(&samples.iter().map(|sample| sample.cpu_micros).collect::<Vec<_>>()),
        median(&ratios(|sample| sample.cpu_micros)),
    );
}
