//! What was counted, beside the budget: as a table, as JSON, and as a verdict.

use std::fs;

use serde::Serialize;

use crate::budget::{Budget, growth};
use crate::callgrind::{self, Figure};
use crate::compiler;
use crate::setup::Setup;

#[derive(Serialize)]
pub struct Report<'a> {
    compiler: String,
    pub lines: Vec<Line>,
    #[serde(skip)]
    budget: &'a Budget,
}

/// One row behind one setup.
#[derive(Serialize)]
pub struct Line {
    /// The row and what it is counted behind.
    pub row: String,
    bare: u64,
    with_layer: u64,
    pub above_bare: i64,
    /// What it may cost above bare, if that is written down.
    budget: Option<i64>,
    /// Against the budget.
    change_percent: Option<f64>,
    redis_round_trips: f64,
}

/// What the figures mean.
pub enum Verdict {
    Within,
    /// The budget is another compiler's.
    Incomparable(String),
    /// Says what to do.
    Over(String),
}

impl<'a> Report<'a> {
    pub fn new(budget: &'a Budget, figures: &[Figure]) -> Self {
        let bare = |row| figures.iter().find(|figure| figure.row == row && figure.setup == Setup::Bare);
        let layered = figures.iter().filter(|figure| figure.setup != Setup::Bare);
        let lines = layered.filter_map(|figure| Some(Line::new(budget, figure, bare(figure.row)?))).collect();
        Self { compiler: compiler::name(), lines, budget }
    }

    pub fn print(&self) {
        println!("{}\n", self.compiler);
        println!(
            "{:<18} {:>10} {:>11} {:>11} {:>10} {:>8} {:>12}",
            "row", "bare", "with layer", "above bare", "budget", "change", "round trips"
        );
        for line in &self.lines {
            let budget = line.budget.map_or("–".into(), |budget| budget.to_string());
            let change = line.change_percent.map_or("–".into(), |change| format!("{change:+.1} %"));
            println!(
                "{:<18} {:>10} {:>11} {:>11} {:>10} {:>8} {:>12.2}",
                line.row, line.bare, line.with_layer, line.above_bare, budget, change, line.redis_round_trips
            );
        }
    }

    /// Keeps the figures in the target folder.
    pub fn save(&self) -> Result<(), String> {
        let file = callgrind::folder().join("report.json");
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))
    }

    /// Compares with the budget; with all of it, unless only some rows were counted.
    pub fn verdict(&self, all: bool) -> Verdict {
        if self.compiler != self.budget.compiler {
            let (ours, theirs) = (&self.compiler, &self.budget.compiler);
            return Verdict::Incomparable(format!(
                "built by {ours}, but the budget is of {theirs}: NOTHING IS CHECKED"
            ));
        }
        let mut problems: Vec<_> = self.lines.iter().filter_map(|line| self.problem(line)).collect();
        if all {
            let is_counted = |row: &str| self.lines.iter().any(|line| line.row == row);
            let gone = self.budget.rows.iter().filter(|allowed| !is_counted(&allowed.row));
            problems.extend(gone.map(|allowed| format!("{} has a budget but is not counted any more", allowed.row)));
        }
        if problems.is_empty() {
            return Verdict::Within;
        }
        let how = "If it has to be so, write it down with its reason: \
                   cargo bench -p instructions -- --write --reason '…'\n\
                   Otherwise callgrind_annotate --inclusive=yes on the .out files in target/tmp/instructions shows where they go.";
        Verdict::Over(format!("{}\n{how}", problems.join("\n")))
    }

    fn problem(&self, line: &Line) -> Option<String> {
        let Some(allowed) = self.budget.of(&line.row) else { return Some(format!("{} has no budget yet", line.row)) };
        let (row, above_bare, percent) = (&line.row, line.above_bare, self.budget.may_grow_percent);
        self.budget.exceeded_by(allowed, above_bare).then(|| {
            let (budget, change) = (allowed.above_bare, growth(allowed.above_bare, above_bare));
            format!("{row} costs {above_bare} instructions above bare, {change:+.1} % on its budget of {budget}; {percent} % are allowed")
        })
    }
}

impl Line {
    fn new(budget: &Budget, figure: &Figure, bare: &Figure) -> Self {
        let row = format!("{}/{}", figure.row, figure.setup);
        let above_bare = figure.instructions as i64 - bare.instructions as i64;
        let allowed = budget.of(&row).map(|allowed| allowed.above_bare);
        Self {
            row,
            bare: bare.instructions,
            with_layer: figure.instructions,
            above_bare,
            budget: allowed,
            change_percent: allowed.map(|allowed| growth(allowed, above_bare)),
            redis_round_trips: figure.trips,
        }
    }
}
