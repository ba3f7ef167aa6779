//! Criteria and their verdicts: what a scenario asks of a server, and what people wrote down as goals long before.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::evidence::Evidence;
use crate::options::Options;
use crate::report::{Sample, bytes, ms, time};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Passed,
    Failed,
    /// This server cannot show it, or not in this run.
    Skipped,
}

/// One thing asked of a server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Criterion {
    pub name: String,
    pub verdict: Verdict,
    /// The figure, or why there is none.
    pub detail: String,
}

impl Criterion {
    pub fn check(name: &str, holds: bool, detail: impl Into<String>) -> Self {
        let verdict = if holds { Verdict::Passed } else { Verdict::Failed };
        Self { name: name.to_owned(), verdict, detail: detail.into() }
    }

    /// All of them, and at least one.
    pub fn all(name: &str, good: usize, of: usize) -> Self {
        Self::check(name, good == of && of > 0, format!("{good} of {of}"))
    }

    pub fn failed(name: &str, detail: impl Into<String>) -> Self {
        Self::check(name, false, detail)
    }

    pub fn skipped(name: &str, why: impl Into<String>) -> Self {
        Self { name: name.to_owned(), verdict: Verdict::Skipped, detail: why.into() }
    }

    /// With a hint if it failed.
    pub fn or_hint(mut self, hint: impl FnOnce() -> String) -> Self {
        if self.verdict == Verdict::Failed {
            self.detail = format!("{}; {}", self.detail, hint());
        }
        self
    }
}

const RECONNECTS: f64 = 95.0;
const TRAFFIC: f64 = 90.0;
const MEMORY: f64 = 100e6;

/// The goals of those who ran this by shell script, each with its figure of this run.
pub fn written_down(options: &Options, evidence: &Evidence, samples: &[Sample]) -> Vec<Criterion> {
    vec![
        api(options.api_limit, evidence),
        store_query(options.store_limit, evidence),
        event(options.event_limit, evidence),
        reconnects(evidence),
        traffic(evidence),
        memory(samples),
    ]
}

fn took(time: Duration) -> String {
    ms(time.as_secs_f64() * 1000.0)
}

fn api(limit: Duration, evidence: &Evidence) -> Criterion {
    let name = format!("API < {}", time(limit));
    match evidence.api.percentile_of_all(99.0) {
        Some((p99, count)) => {
            Criterion::check(&name, p99 < limit, format!("p99 {} of {count} requests to the monitor", took(p99)))
        }
        None => Criterion::skipped(&name, NO_MONITOR),
    }
}

/// Nobody tells from outside how long the store took; but health asks it, so the store took no longer than that.
fn store_query(limit: Duration, evidence: &Evidence) -> Criterion {
    let name = format!("store query < {}", time(limit));
    match evidence.api.percentile("health", 99.0) {
        Some(p99) if p99 < limit => Criterion::check(
            &name,
            true,
            format!("less than {}: p99 of health, which asks the store and more", took(p99)),
        ),
        Some(p99) => Criterion::skipped(
            &name,
            format!(
                "health, which asks the store and more, took {} (p99): how much was the store's cannot be told",
                took(p99)
            ),
        ),
        None => Criterion::skipped(&name, NO_MONITOR),
    }
}

fn event(limit: Duration, evidence: &Evidence) -> Criterion {
    let name = format!("event < {}", time(limit));
    match evidence.events.percentile_of_all(99.0) {
        Some((p99, count)) => Criterion::check(
            &name,
            p99 < limit,
            format!("p99 {} from the request that causes it to a viewer's socket, {count} times", took(p99)),
        ),
        None => Criterion::skipped(&name, "no viewer watched: see the scenario feed"),
    }
}

fn reconnects(evidence: &Evidence) -> Criterion {
    let name = format!("reconnects > {RECONNECTS} %");
    let (good, tried) = evidence.reconnects();
    match tried {
        0 => Criterion::skipped(&name, "no client came back in this run, or the server gives no reconnect tokens"),
        _ => {
            let percent = 100.0 * good as f64 / tried as f64;
            Criterion::check(&name, percent > RECONNECTS, format!("{percent:.1} %: {good} of {tried}"))
        }
    }
}

fn traffic(evidence: &Evidence) -> Criterion {
    let name = format!("traffic saved over polling > {TRAFFIC} %");
    let Some(traffic) = evidence.traffic() else {
        return Criterion::skipped(&name, "nothing was compared: see the scenario feed");
    };
    let told = traffic.told();
    match traffic.not_comparable() {
        Some(why) => Criterion::skipped(&name, format!("{told}, but {why}")),
        None => Criterion::check(&name, traffic.saved_percent() > TRAFFIC, told),
    }
}

/// What the server grew by while most sessions were open, for each of them.
fn memory(samples: &[Sample]) -> Criterion {
    let name = "memory < 100 MB per session";
    let weighed: Vec<_> = samples.iter().filter_map(|s| Some((s.sessions, s.memory_bytes? as f64))).collect();
    let (Some((_, before)), Some((sessions, most))) =
        (weighed.first(), weighed.iter().max_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))))
    else {
        return Criterion::skipped(name, NOT_MEASURED);
    };
    if *sessions == 0 {
        return Criterion::skipped(name, "no session was open when memory was looked at");
    }
    let each = (most - before).max(0.0) / *sessions as f64;
    Criterion::check(
        name,
        each < MEMORY,
        format!(
            "{} each: {} before, {} with {sessions} sessions{}",
            bytes(each),
            bytes(*before),
            bytes(*most),
            if *sessions < 100 { "; with --clients 1000 the figure means more" } else { "" }
        ),
    )
}

/// Why nothing is known of the server's memory.
pub const NOT_MEASURED: &str = "not measured: tell --pid of each process, or --metrics";
const NO_MONITOR: &str = "there is no monitor: tell --monitor where it is";
