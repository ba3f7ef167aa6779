//! The table at the end of a run.

use std::fmt::Write;

use super::{Operation, Report, WRITTEN_DOWN};
use crate::criteria::{Criterion, Verdict};

/// No line of criteria is longer; a longer detail is broken.
const WIDE: usize = 100;
/// Longest name of a criterion that has its detail beside it; that of a longer one stands below.
const NAME: usize = 52;
/// Room for the verdict.
const MARGIN: usize = 8;

/// As text, with colours or without.
pub fn of(report: &Report, colours: bool) -> String {
    let mut text = String::new();
    for played in &report.scenarios {
        let _ = writeln!(text, "\n{} ({:.1} s)", played.name, played.took_seconds);
        criteria(&mut text, &played.criteria, colours);
        for line in played.notes.iter().flat_map(|note| wrapped(note, WIDE - MARGIN)) {
            let _ = writeln!(text, "{:MARGIN$}{line}", "");
        }
    }
    if !report.written_down.is_empty() {
        let _ = writeln!(text, "\n{WRITTEN_DOWN}");
        criteria(&mut text, &report.written_down, colours);
    }
    operations(&mut text, report);
    failures(&mut text, report);
    let _ = writeln!(text, "\n{} in {:.1} s", report.summary(), report.took_seconds);
    text
}

fn criteria(text: &mut String, criteria: &[Criterion], colours: bool) {
    let lengths = criteria.iter().map(|criterion| criterion.name.chars().count());
    let wide = lengths.filter(|length| *length <= NAME).max().unwrap_or(0);
    for Criterion { name, verdict, detail } in criteria {
        let _ = write!(text, "  {}  {name:wide$}", mark(*verdict, colours));
        let mut lines = wrapped(detail, WIDE - MARGIN - wide - 2).into_iter();
        if name.chars().count() <= wide {
            let _ = write!(text, "  {}", lines.next().unwrap_or_default());
        }
        text.push('\n');
        for line in lines {
            let _ = writeln!(text, "{:1$}  {line}", "", MARGIN + wide);
        }
    }
}

fn wrapped(detail: &str, wide: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in detail.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= wide || is_unit(word) => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// What must stand behind its number, at the cost of the margin.
fn is_unit(word: &str) -> bool {
    ["%", "s", "ms", "B", "kB", "MB"].contains(&word.trim_end_matches([',', ';', ':', ')']))
}

fn mark(verdict: Verdict, colours: bool) -> String {
    let (word, colour) = match verdict {
        Verdict::Passed => ("ok  ", 32),
        Verdict::Failed => ("FAIL", 31),
        Verdict::Skipped => ("skip", 33),
    };
    if colours { format!("\x1b[{colour}m{word}\x1b[0m") } else { word.to_owned() }
}

fn operations(text: &mut String, report: &Report) {
    let rows: Vec<_> =
        report.operations().map(|(part, operation)| (format!("{part}: {}", operation.name), operation)).collect();
    let wide = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\n{:wide$} {:>7} {:>6} {:>8} {:>8} {:>8} {:>8}",
        "operation", "count", "failed", "p50", "p90", "p99", "max"
    );
    for (name, operation) in rows {
        let (Operation { count, failed, .. }, [p50, p90, p99, _, max]) = (operation, operation.times());
        let _ = writeln!(text, "{name:wide$} {count:>7} {failed:>6} {p50:>8} {p90:>8} {p99:>8} {max:>8}");
    }
}

fn failures(text: &mut String, report: &Report) {
    let mut title = Some("\nwhat failed, by kind");
    for (part, kind, failure) in report.failures() {
        if let Some(title) = title.take() {
            let _ = writeln!(text, "{title}");
        }
        let _ = writeln!(text, "  {:>6} × {kind} ({part}); first: {}", failure.count, failure.example);
        if let Some(hint) = &failure.hint {
            let _ = writeln!(text, "           {hint}");
        }
    }
}
