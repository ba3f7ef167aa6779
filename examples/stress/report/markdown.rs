//! The report as Markdown.

use std::fmt::Write;

use super::Report;
use crate::criteria::{Criterion, Verdict};

pub fn of(report: &Report) -> String {
    let mut text =
        format!("# Stress report\n\n**{}**, {}, {:.1} s\n", report.summary(), report.began, report.took_seconds);
    let _ = writeln!(text, "\n| setting | |\n|---|---|");
    for (name, value) in &report.settings {
        let _ = writeln!(text, "| {name} | {} |", cell(value));
    }
    if !report.written_down.is_empty() {
        let _ = writeln!(text, "\n## Goals");
        criteria(&mut text, &report.written_down);
    }
    for played in &report.scenarios {
        let _ = writeln!(text, "\n## {}\n\n{}; {:.1} s", played.name, played.about, played.took_seconds);
        criteria(&mut text, &played.criteria);
        for note in &played.notes {
            let _ = writeln!(text, "\n{}", cell(note));
        }
        if !played.failures.is_empty() {
            let _ = writeln!(text, "\n| failed | how often | first | |\n|---|---|---|---|");
            for (kind, failure) in &played.failures {
                let hint = failure.hint.as_deref().unwrap_or_default();
                let _ = writeln!(text, "| {kind} | {} | {} | {} |", failure.count, cell(&failure.example), cell(hint));
            }
        }
    }
    operations(&mut text, report);
    server(&mut text, report);
    text
}

fn criteria(text: &mut String, criteria: &[Criterion]) {
    let _ = writeln!(text, "\n| | criterion | figure |\n|---|---|---|");
    for Criterion { name, verdict, detail } in criteria {
        let mark = match verdict {
            Verdict::Passed => "✅",
            Verdict::Failed => "❌ **failed**",
            Verdict::Skipped => "skipped",
        };
        let _ = writeln!(text, "| {mark} | {} | {} |", cell(name), cell(detail));
    }
}

fn operations(text: &mut String, report: &Report) {
    let _ = writeln!(text, "\n## How long it took\n");
    let _ = writeln!(
        text,
        "| operation | count | failed | p50 | p90 | p99 | p99.9 | max |\n|---|--:|--:|--:|--:|--:|--:|--:|"
    );
    for (part, operation) in report.operations() {
        let (name, count, failed) = (&operation.name, operation.count, operation.failed);
        let _ = writeln!(text, "| {part}: {name} | {count} | {failed} | {} |", operation.times().join(" | "));
    }
}

fn server(text: &mut String, report: &Report) {
    let (Some(before), Some(after)) = (&report.server.before, &report.server.after) else { return };
    let _ = writeln!(text, "\n## The server's own figures\n\n| | before | after |\n|---|--:|--:|");
    for (name, was, is) in super::counts(before, after) {
        let _ = writeln!(text, "| {name} | {was} | {is} |");
    }
}

/// Text that stays in its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ").replace('<', "&lt;")
}
