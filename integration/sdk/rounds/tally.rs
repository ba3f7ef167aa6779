//! What many rounds came to: a step of the report for each of their steps, with the rounds that failed in it, and a summary.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::harness::clients::{DriveReport, DriveStep, Interrupted, RoundsSummary};

/// Failures told of one step; the rest are counted.
const TOLD: usize = 10;

/// It is right at any moment.
#[derive(Debug)]
pub(super) struct Tally {
    total: usize,
    started: Instant,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    lines: Vec<Line>,
    times: Vec<Duration>,
    summary: RoundsSummary,
}

/// One step of all rounds.
#[derive(Debug)]
struct Line {
    step: &'static str,
    passed: usize,
    failed: usize,
    rounds: Vec<Value>,
}

impl Tally {
    pub(super) fn new(total: usize) -> Self {
        Self { total, started: Instant::now(), counts: Mutex::default() }
    }

    pub(super) fn passed(&self, step: &'static str) {
        self.counts().line(step).passed += 1;
    }

    pub(super) fn failed(&self, step: &'static str, round: usize, why: &str) {
        let mut counts = self.counts();
        let line = counts.line(step);
        line.failed += 1;
        if line.rounds.len() < TOLD {
            line.rounds.push(json!({"round": round, "why": why}));
        }
    }

    pub(super) fn interrupted(&self, step: &str, round: usize, began: SystemTime, why: String) {
        let began = millis(began.duration_since(UNIX_EPOCH).unwrap_or_default());
        self.counts().summary.interrupted.push(Interrupted { round, began, step: step.to_owned(), why });
    }

    /// A note was put again because nothing was heard of it.
    pub(super) fn repeated(&self) {
        self.counts().summary.repeated += 1;
    }

    /// A notification was heard so often, and was due so often.
    pub(super) fn heard(&self, notification: &str, times: usize, due: usize) {
        if times > due {
            *self.counts().summary.duplicates.entry(notification.to_owned()).or_default() += times - due;
        }
    }

    /// A session that had ended was answered with something other than 404.
    pub(super) fn late_answer(&self) {
        self.counts().summary.late_answers += 1;
    }

    /// A round is over, well or not.
    pub(super) fn over(&self, took: Duration) {
        self.counts().times.push(took);
    }

    pub(super) fn report(&self) -> DriveReport {
        let Counts { lines, mut times, mut summary } = std::mem::take(&mut *self.counts());
        times.sort_unstable();
        let elapsed = self.started.elapsed();
        summary.total = self.total;
        summary.done = times.len();
        summary.per_second = times.len() as f64 / elapsed.as_secs_f64();
        summary.p50_ms = percentile(&times, 50);
        summary.p95_ms = percentile(&times, 95);
        let steps: Vec<_> = lines.into_iter().map(Line::told).collect();
        DriveReport {
            ok: !steps.is_empty() && steps.iter().all(|step| step.ok),
            client: "rmcp".to_owned(),
            scenario: "rounds".to_owned(),
            era: Some("legacy".to_owned()),
            session_id: None,
            steps,
            errors: Vec::new(),
            ms: millis(elapsed),
            rounds: Some(summary),
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap()
    }
}

impl Counts {
    fn line(&mut self, step: &'static str) -> &mut Line {
        let known = self.lines.iter().position(|line| line.step == step);
        let at = known.unwrap_or_else(|| {
            self.lines.push(Line { step, passed: 0, failed: 0, rounds: Vec::new() });
            self.lines.len() - 1
        });
        &mut self.lines[at]
    }
}

impl Line {
    fn told(self) -> DriveStep {
        let Self { step, passed, failed, rounds } = self;
        let detail = json!({"passed": passed, "failed": failed, "rounds": rounds});
        DriveStep { name: step.to_owned(), ok: failed == 0, detail }
    }
}

/// The time within which so many per cent of the rounds were over, in milliseconds.
fn percentile(sorted: &[Duration], per_cent: usize) -> u64 {
    let place = (sorted.len() * per_cent).div_ceil(100);
    place.checked_sub(1).map_or(0, |last| millis(sorted[last]))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
