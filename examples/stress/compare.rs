//! What changed from one run to another.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::criteria::Verdict;
use crate::report::{Operation, Report, ms};

/// Changes below this are noise, in percent.
const NOISE: f64 = 10.0;

/// The comparison as text, and how many criteria fail now that did not before.
pub fn compare(before: &Report, after: &Report) -> (String, usize) {
    let mut text = format!("A: {}, {}\nB: {}, {}\n", before.began, before.summary(), after.began, after.summary());
    differing_settings(&mut text, before, after);
    let worse = criteria(&mut text, before, after);
    operations(&mut text, before, after);
    (text, worse)
}

fn differing_settings(text: &mut String, before: &Report, after: &Report) {
    for (name, is) in &after.settings {
        let was = before.settings.get(name).map_or("-", String::as_str);
        if was != is {
            let _ = writeln!(text, "{name}: {was} in A, {is} in B");
        }
    }
}

fn criteria(text: &mut String, before: &Report, after: &Report) -> usize {
    let was: BTreeMap<_, _> = before.criteria().map(|(part, c)| ((part, c.name.as_str()), c)).collect();
    let mut worse = 0;
    let mut lines = String::new();
    for (part, now) in after.criteria() {
        let then = was.get(&(part, now.name.as_str())).map(|then| then.verdict);
        let is_failure = now.verdict == Verdict::Failed;
        // What A did not ask is news only if it fails.
        if then == Some(now.verdict) || (then.is_none() && !is_failure) {
            continue;
        }
        worse += usize::from(is_failure);
        let was = then.map_or("not asked", word);
        let _ = writeln!(lines, "  {part}: {}: {was} → {} ({})", now.name, word(now.verdict), now.detail);
    }
    match lines.is_empty() {
        true => text.push_str("\nno criterion changed its verdict\n"),
        false => text.push_str(&format!("\ncriteria that changed\n{lines}")),
    }
    worse
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "ok",
        Verdict::Failed => "FAIL",
        Verdict::Skipped => "skip",
    }
}

fn operations(text: &mut String, before: &Report, after: &Report) {
    let named = |(part, operation)| -> (String, &Operation) {
        let operation: &Operation = operation;
        (format!("{part}: {}", operation.name), operation)
    };
    let was: BTreeMap<_, _> = before.operations().map(named).collect();
    let both: Vec<_> =
        after.operations().map(named).filter_map(|(name, now)| Some((was.get(&name).copied()?, name, now))).collect();
    let wide = both.iter().map(|(_, name, _)| name.chars().count()).max().unwrap_or(0);
    let _ = writeln!(
        text,
        "\n{:wide$} {:>10} {:>10} {:>8} {:>10} {:>10} {:>8}",
        "operation", "p50 A", "p50 B", "", "p99 A", "p99 B", ""
    );
    for (then, name, now) in both {
        let (p50, p99) = (change(then.p50_ms, now.p50_ms), change(then.p99_ms, now.p99_ms));
        let [a, b, c, d] = [then.p50_ms, now.p50_ms, then.p99_ms, now.p99_ms].map(ms);
        let _ = writeln!(text, "{name:wide$} {a:>10} {b:>10} {p50:>8} {c:>10} {d:>10} {p99:>8}");
    }
}

/// By how much, if it is more than noise.
fn change(was: f64, is: f64) -> String {
    let percent = 100.0 * (is / was - 1.0);
    match percent {
        percent if !percent.is_finite() => "-".to_owned(),
        percent if percent.abs() < NOISE => "same".to_owned(),
        percent => format!("{percent:+.0} %"),
    }
}
