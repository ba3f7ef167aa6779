//! What a driver reports: the JSON object it prints, and how a test asserts on it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;

/// What a driver reports.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DriveReport {
    /// Every step went as it should.
    pub(crate) ok: bool,
    /// Which client, `ts-v1` or `py-2.3.0`.
    pub(crate) client: String,
    /// What was tried.
    pub(crate) scenario: String,
    /// `legacy` or `modern`, once the client is connected.
    pub(crate) era: Option<String>,
    /// The session's id, when the driver was told to keep the session.
    pub(crate) session_id: Option<String>,
    /// What was tried, in order.
    pub(crate) steps: Vec<DriveStep>,
    /// What the SDK complained about on the side: its `onerror` calls or its log from warning up.
    pub(crate) errors: Vec<String>,
    /// How long the scenario took, in milliseconds, without the runtime's start.
    pub(crate) ms: u64,
    /// What the scenario `rounds` adds.
    pub(crate) rounds: Option<RoundsSummary>,
}

/// What many rounds came to.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoundsSummary {
    /// How many there were to be.
    pub(crate) total: usize,
    /// How many came to their end, well or not.
    pub(crate) done: usize,
    /// How many did, per second.
    pub(crate) per_second: f64,
    /// A round's time, in milliseconds: the median.
    pub(crate) p50_ms: u64,
    /// The same, of all but the slowest twentieth.
    pub(crate) p95_ms: u64,
    /// What was tried once more because a call was cut off, if that was to be tolerated.
    pub(crate) interrupted: Vec<Interrupted>,
    /// How often a note was put again because nothing was heard of it.
    pub(crate) repeated: usize,
    /// Notifications heard more often than they were due, by method.
    pub(crate) duplicates: BTreeMap<String, usize>,
    /// Answers other than 404 to a session that had ended.
    pub(crate) late_answers: usize,
}

/// A step that was tried once more.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Interrupted {
    pub(crate) round: usize,
    /// When the round began, in milliseconds of Unix time.
    pub(crate) began: u64,
    pub(crate) step: String,
    pub(crate) why: String,
}

/// One step of a scenario.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DriveStep {
    /// What was tried.
    pub(crate) name: String,
    /// Whether it went as it should.
    pub(crate) ok: bool,
    /// What was seen, or what went wrong.
    pub(crate) detail: Value,
}

impl DriveReport {
    /// The detail of the step with this name.
    ///
    /// # Panics
    ///
    /// If the report has no such step.
    #[track_caller]
    pub(crate) fn detail(&self, step: &str) -> &Value {
        match self.steps.iter().find(|known| known.name == step) {
            Some(step) => &step.detail,
            None => panic!("no step {step:?} in:\n{self}"),
        }
    }

    /// Asserts that every step went well and the SDK complained about nothing on the side.
    ///
    /// # Panics
    ///
    /// With the whole report, if not.
    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        assert!(self.ok && self.errors.is_empty(), "{self}");
    }
}

/// The report as a list, for a failed assertion.
impl fmt::Display for DriveReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let era = self.era.as_deref().unwrap_or("not connected");
        writeln!(f, "{} {} ({era}, {} ms)", self.client, self.scenario, self.ms)?;
        for DriveStep { name, ok, detail } in &self.steps {
            let mark = if *ok { "ok  " } else { "FAIL" };
            writeln!(f, "  {mark} {name}: {detail}")?;
        }
        for error in &self.errors {
            writeln!(f, "  the SDK complained: {error}")?;
        }
        if let Some(rounds) = &self.rounds {
            writeln!(f, "  {rounds}")?;
        }
        Ok(())
    }
}

/// The figures in a line, and what was interrupted.
impl fmt::Display for RoundsSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { total, done, per_second, p50_ms, p95_ms, interrupted, repeated, duplicates, late_answers } = self;
        write!(f, "{done} of {total} rounds, {per_second:.1}/s, p50 {p50_ms} ms, p95 {p95_ms} ms; ")?;
        write!(f, "{late_answers} late answers; duplicates: {duplicates:?}; {repeated} notes repeated; ")?;
        write!(f, "{} interrupted", interrupted.len())?;
        for Interrupted { round, step, why, .. } in interrupted {
            write!(f, "\n    round {round}, {step}: {why}")?;
        }
        Ok(())
    }
}
