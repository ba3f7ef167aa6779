//! What a run came to, as plain data; the files beside this one show it.
//!
//! | file | for whom |
//! |---|---|
//! | `report.json`, written from here | programs, and `--compare` |
//! | `terminal` | whoever waits in front of the terminal |
//! | `markdown` | a pull request, a ticket |
//! | `html`, `style`, and in it `plots`, each by `plot` | whoever wants to see |

mod html;
mod markdown;
mod plot;
mod plots;
mod style;
pub mod terminal;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::criteria::{Criterion, Verdict};

/// Grows when a field changes its meaning.
pub const FORMAT: u32 = 1;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub format: u32,
    pub began: String,
    pub took_seconds: f64,
    /// Somebody ended it before its time: it says what was measured until then.
    #[serde(default)]
    pub interrupted: bool,
    /// What was asked for, by name.
    pub settings: BTreeMap<String, String>,
    pub scenarios: Vec<Played>,
    /// What people once wrote down as the goal.
    pub written_down: Vec<Criterion>,
    /// The monitor's API, as it answered all through the run.
    pub monitor: Vec<Operation>,
    pub server: Server,
}

/// One scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Played {
    pub name: String,
    pub about: String,
    /// After the run began.
    #[serde(default)]
    pub began_seconds: f64,
    pub took_seconds: f64,
    pub criteria: Vec<Criterion>,
    pub operations: Vec<Operation>,
    pub failures: BTreeMap<String, FailureCount>,
    pub notes: Vec<String>,
}

/// How long one kind of operation took.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Operation {
    pub name: String,
    /// Those that succeeded.
    pub count: u64,
    pub failed: u64,
    pub mean_ms: f64,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub max_ms: f64,
    pub curve: Vec<Curve>,
    pub over_time: Vec<Moment>,
}

/// This share of all was faster than that.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Curve {
    pub share: f64,
    pub ms: f64,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Moment {
    /// After its scenario began.
    pub at_seconds: f64,
    pub per_second: f64,
    pub failed: u64,
    /// Of those that succeeded then, if any did.
    pub mean_ms: Option<f64>,
    pub max_ms: Option<f64>,
}

/// Failures of one kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FailureCount {
    pub count: u64,
    /// The first one.
    pub example: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What the server says of itself, and what its processes weigh.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Server {
    /// The monitor's counts, where there is one.
    pub before: Option<serde_json::Value>,
    pub after: Option<serde_json::Value>,
    pub samples: Vec<Sample>,
}

/// The server at one moment.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Sample {
    pub at_seconds: f64,
    /// Sessions that this program has open.
    pub sessions: u64,
    /// All its processes together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
}

impl Operation {
    /// p50, p90, p99, p99.9 and the longest, as people read them.
    fn times(&self) -> [String; 5] {
        [self.p50_ms, self.p90_ms, self.p99_ms, self.p999_ms, self.max_ms].map(|time| match self.count {
            0 => "-".to_owned(),
            _ => ms(time),
        })
    }
}

impl Report {
    /// All criteria: each scenario's, and what was written down.
    pub fn criteria(&self) -> impl Iterator<Item = (&str, &Criterion)> {
        let scenarios = self.scenarios.iter();
        let of_scenarios = scenarios.flat_map(|played| played.criteria.iter().map(|c| (played.name.as_str(), c)));
        of_scenarios.chain(self.written_down.iter().map(|criterion| (WRITTEN_DOWN, criterion)))
    }

    pub fn count(&self, verdict: Verdict) -> usize {
        self.criteria().filter(|(_, criterion)| criterion.verdict == verdict).count()
    }

    /// All operations with the part they belong to.
    pub fn operations(&self) -> impl Iterator<Item = (&str, &Operation)> {
        let scenarios = self.scenarios.iter();
        let of_scenarios = scenarios.flat_map(|played| played.operations.iter().map(|op| (played.name.as_str(), op)));
        of_scenarios.chain(self.monitor.iter().map(|operation| (MONITOR, operation)))
    }

    /// All failures with the part they belong to.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &String, &FailureCount)> {
        self.scenarios
            .iter()
            .flat_map(|played| played.failures.iter().map(|(kind, failure)| (played.name.as_str(), kind, failure)))
    }

    /// In one sentence.
    pub fn summary(&self) -> String {
        let [passed, failed, skipped] = [Verdict::Passed, Verdict::Failed, Verdict::Skipped].map(|v| self.count(v));
        let skipped = if skipped == 0 { String::new() } else { format!(", {skipped} skipped") };
        if passed + failed == 0 {
            return format!("nothing was asked of the server{skipped}");
        }
        let interrupted = if self.interrupted { "interrupted: " } else { "" };
        match failed {
            0 => format!("{interrupted}{passed} criteria met{skipped}"),
            1 => format!("{interrupted}1 criterion FAILED, {passed} met{skipped}"),
            _ => format!("{interrupted}{failed} criteria FAILED, {passed} met{skipped}"),
        }
    }

    /// Writes the files into a directory, and returns the page's path.
    pub fn write(&self, directory: &Path) -> Result<PathBuf, String> {
        let json = serde_json::to_string_pretty(self).expect("a report is plain data");
        let page = directory.join("report.html");
        let written = fs::create_dir_all(directory)
            .and_then(|()| fs::write(directory.join("report.json"), json))
            .and_then(|()| fs::write(directory.join("report.md"), markdown::of(self)))
            .and_then(|()| fs::write(&page, html::of(self)));
        written.map_err(|error| format!("cannot write the report into {}: {error}", directory.display()))?;
        Ok(page)
    }

    pub fn read(path: &Path) -> Result<Self, String> {
        let wrong = |why: String| format!("{}: {why}", path.display());
        let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let report: Self = serde_json::from_str(&text).map_err(|error| wrong(format!("no report of ours: {error}")))?;
        match report.format {
            FORMAT => Ok(report),
            other => Err(wrong(format!("its format is {other}, this program reads {FORMAT}"))),
        }
    }
}

/// The part of a report that belongs to no scenario.
pub const WRITTEN_DOWN: &str = "goals";
pub const MONITOR: &str = "monitor";

/// A time that somebody chose, as people write it.
pub fn time(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 1.0 => format!("{} ms", time.as_millis()),
        seconds if seconds < 120.0 => format!("{} s", (seconds * 100.0).round() / 100.0),
        seconds => humantime::format_duration(Duration::from_secs(seconds as u64)).to_string(),
    }
}

/// Milliseconds as people read them.
pub fn ms(ms: f64) -> String {
    match ms {
        ms if ms >= 10_000.0 => format!("{:.1} s", ms / 1000.0),
        ms if ms >= 1_000.0 => format!("{:.2} s", ms / 1000.0),
        ms if ms >= 100.0 => format!("{ms:.0} ms"),
        ms if ms >= 10.0 => format!("{ms:.1} ms"),
        ms => format!("{ms:.2} ms"),
    }
}

/// Bytes as people read them.
pub fn bytes(bytes: f64) -> String {
    match bytes.abs() {
        size if size >= 1e8 => format!("{:.0} MB", bytes / 1e6),
        size if size >= 1e6 => format!("{:.1} MB", bytes / 1e6),
        size if size >= 1e3 => format!("{:.1} kB", bytes / 1e3),
        _ => format!("{bytes:.0} B"),
    }
}

/// The numbers in a health report, by name, as they were and as they are.
fn counts(before: &serde_json::Value, after: &serde_json::Value) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for (part, figures) in after.as_object().into_iter().flatten() {
        for (name, is) in figures.as_object().into_iter().flatten().filter(|(_, is)| is.is_number()) {
            let was = &before[part][name];
            let was = if was.is_number() { was.to_string() } else { "-".to_owned() };
            found.push((format!("{part}: {name}").replace('_', " "), was, is.to_string()));
        }
    }
    found
}
