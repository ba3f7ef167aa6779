//! The table at the end of a run.

use std::fmt::Write;

use super::{Operation, Report, WRITTEN_DOWN, ms};
use crate::criteria::{Criterion, Verdict};

/// Longest detail that stands beside a criterion; a longer one is broken into lines.
const WIDE: usize = 72;

/// As text, with colours or without.
pub fn of(report: &Report, colours: bool) -> String {
    let mut text = String::new();
    for played in &report.scenarios {
        let _ = writeln!(text, "\n{} ({:.1} s)", played.name, played.took_seconds);
        criteria(&mut text, &played.criteria, colours);
        for note in &played.notes {
            let _ = writeln!(text, "  note  {note}");
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
    let wide = criteria.iter().map(|criterion| criterion.name.chars().count()).max().unwrap_or(0);
    for Criterion { name, verdict, detail } in criteria {
        let mut lines = wrapped(detail).into_iter();
        let first = lines.next().unwrap_or_default();
        let _ = writeln!(text, "  {}  {name:wide$}  {first}", mark(*verdict, colours));
        for line in lines {
            let _ = writeln!(text, "        {:wide$}  {line}", "");
        }
    }
}

fn wrapped(detail: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in detail.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDE => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
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
        "\n{:wide$} {:>8} {:>7} {:>10} {:>10} {:>10} {:>10}",
        "operation", "count", "failed", "p50", "p90", "p99", "max"
    );
    for (name, Operation { count, failed, p50_ms, p90_ms, p99_ms, max_ms, .. }) in rows {
        let [p50, p90, p99, max] = [p50_ms, p90_ms, p99_ms, max_ms].map(|time| match count {
            0 => "-".to_owned(),
            _ => ms(*time),
        });
        let _ = writeln!(text, "{name:wide$} {count:>8} {failed:>7} {p50:>10} {p90:>10} {p99:>10} {max:>10}");
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
