//! What each row may cost above bare: `budget.json`, with one line a row and the reason why it costs that.

use std::fs;

use serde::{Deserialize, Serialize};

use crate::compiler;
use crate::report::Report;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/budget.json");

#[derive(Deserialize)]
pub struct Budget {
    /// Whose figures these are.
    pub compiler: String,
    /// How much more than its figure a row may cost.
    pub may_grow_percent: f64,
    pub rows: Vec<Allowed>,
}

#[derive(Clone, Deserialize, Serialize)]
pub struct Allowed {
    /// The row and what it is counted behind.
    pub row: String,
    /// Instructions above bare.
    pub above_bare: i64,
    pub reason: String,
}

impl Budget {
    pub fn read() -> Result<Self, String> {
        let text = fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
        serde_json::from_str(&text).map_err(|error| format!("{FILE}: {error}"))
    }

    pub fn of(&self, row: &str) -> Option<&Allowed> {
        self.rows.iter().find(|allowed| allowed.row == row)
    }

    pub fn exceeded_by(&self, allowed: &Allowed, above_bare: i64) -> bool {
        growth(allowed.above_bare, above_bare) > self.may_grow_percent
    }

    /// The budget after this report: lower where rows cost less, and higher with a reason where one costs too much.
    pub fn updated(&self, report: &Report<'_>, reason: Option<&str>, all: bool) -> Result<Self, String> {
        let is_comparable = self.compiler == compiler::name();
        if !is_comparable && !all {
            return Err("The compiler is another: write all rows, not some.".into());
        }
        let mut rows = Vec::new();
        for line in &report.lines {
            let reason_given = || reason.map(str::to_owned);
            rows.push(match self.of(&line.row) {
                None => Allowed {
                    reason: reason_given().unwrap_or_else(|| "new".into()),
                    row: line.row.clone(),
                    above_bare: line.above_bare,
                },
                Some(before) if is_comparable && self.exceeded_by(before, line.above_bare) => Allowed {
                    reason: reason_given()
                        .ok_or_else(|| format!("{} has grown: --reason says why it may.", line.row))?,
                    above_bare: line.above_bare,
                    ..before.clone()
                },
                Some(before) if is_comparable => {
                    Allowed { above_bare: before.above_bare.min(line.above_bare), ..before.clone() }
                }
                Some(before) => Allowed { above_bare: line.above_bare, ..before.clone() },
            });
        }
        if !all {
            rows = self.with(rows);
        }
        Ok(Self { compiler: compiler::name(), may_grow_percent: self.may_grow_percent, rows })
    }

    /// All rows, some of them as given.
    fn with(&self, changed: Vec<Allowed>) -> Vec<Allowed> {
        let mut rows = self.rows.clone();
        for row in changed {
            match rows.iter_mut().find(|known| known.row == row.row) {
                Some(known) => *known = row,
                None => rows.push(row),
            }
        }
        rows
    }

    pub fn write(&self) -> Result<(), String> {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let rows: Vec<_> = self.rows.iter().map(|row| serde_json::to_string(row).expect("plain text")).collect();
        let text = format!(
            "{{\n  \"compiler\": {},\n  \"may_grow_percent\": {},\n  \"rows\": [\n    {}\n  ]\n}}\n",
            quoted(&self.compiler),
            self.may_grow_percent,
            rows.join(",\n    ")
        );
        fs::write(FILE, text).map_err(|error| format!("{FILE}: {error}"))?;
        println!("\nwritten: {FILE}");
        Ok(())
    }
}

/// In percent.
pub fn growth(from: i64, to: i64) -> f64 {
    100.0 * (to - from) as f64 / from.max(1) as f64
}
