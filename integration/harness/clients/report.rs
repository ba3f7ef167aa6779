//! What a driver reports: the JSON object it prints, and how a test asserts on it.

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
        Ok(())
    }
}
