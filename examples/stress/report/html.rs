//! The report as one page that needs nothing else.

use std::fmt::Write;

use super::plot::escaped;
use super::style::STYLE;
use super::{Operation, Played, Report, plots};
use crate::criteria::{Criterion, Verdict};

pub fn of(report: &Report) -> String {
    let failed = report.count(Verdict::Failed) > 0;
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Stress report</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><style>{STYLE}</style></head><body>\n\
         <h1>Stress report</h1><p class=\"verdict {}\">{}</p><p class=\"soft\">{}, took {:.1} s</p>\n",
        if failed { "bad" } else { "good" },
        escaped(&report.summary()),
        escaped(&report.began.replace('T', " ").replace('Z', " UTC")),
        report.took_seconds
    );
    page.push_str(&failed_first(report));
    if !report.written_down.is_empty() {
        let _ = writeln!(page, "<section><h2>Goals</h2>{}</section>", criteria(&report.written_down));
    }
    page.push_str(&plots(report));
    for played in &report.scenarios {
        page.push_str(&scenario(played));
    }
    page.push_str(&operations(report));
    page.push_str(&server(report));
    page.push_str(&settings(report));
    page.push_str("</body></html>\n");
    page
}

/// What a reader looks for first.
fn failed_first(report: &Report) -> String {
    let failed = report.criteria().filter(|(_, criterion)| criterion.verdict == Verdict::Failed);
    let named = |(part, criterion): (&str, &Criterion)| Criterion {
        name: format!("{part}: {}", criterion.name),
        ..criterion.clone()
    };
    let failed: Vec<_> = failed.map(named).collect();
    match failed.is_empty() {
        true => String::new(),
        false => format!("<section class=\"failed\"><h2>What failed</h2>{}</section>\n", criteria(&failed)),
    }
}

fn criteria(criteria: &[Criterion]) -> String {
    let item = |Criterion { name, verdict, detail }: &Criterion| {
        let (class, word) = match verdict {
            Verdict::Passed => ("good", "✓ met"),
            Verdict::Failed => ("bad", "✗ failed"),
            Verdict::Skipped => ("open", "skipped"),
        };
        format!(
            "<li><b class=\"{class}\">{word}</b><span>{}</span><span class=\"soft\">{}</span></li>",
            escaped(name),
            prose(detail)
        )
    };
    format!("<ul class=\"criteria\">{}</ul>", criteria.iter().map(item).collect::<String>())
}

/// Text in which no flag is broken in two.
fn prose(text: &str) -> String {
    let word = |word: &str| match word.starts_with("--") {
        true => format!("<code>{}</code>", escaped(word)),
        false => escaped(word),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn scenario(played: &Played) -> String {
    let mut text = format!(
        "<section><h2>{}</h2><p class=\"soft\">{}, {:.1} s</p>{}",
        escaped(&played.name),
        escaped(&played.about),
        played.took_seconds,
        criteria(&played.criteria)
    );
    for note in &played.notes {
        let _ = write!(text, "<p class=\"soft\">{}</p>", escaped(note));
    }
    if !played.failures.is_empty() {
        text.push_str("<div class=\"scroll\"><table><tr><th>failed</th><th>how often</th><th></th></tr>");
        for (kind, failure) in &played.failures {
            let told = [Some(&failure.example), failure.hint.as_ref()].into_iter().flatten().map(|told| escaped(told));
            let told = told.collect::<Vec<_>>().join("<br>");
            let _ = write!(
                text,
                "<tr><td>{}</td><td>{}</td><td class=\"text\">{told}</td></tr>",
                escaped(kind),
                failure.count
            );
        }
        text.push_str("</table></div>");
    }
    text + "</section>\n"
}

fn plots(report: &Report) -> String {
    let (latencies, over_time) = (plots::latencies(report), plots::over_time(report));
    let mut text = String::new();
    if !latencies.is_empty() {
        let _ = writeln!(
            text,
            "<section><h2>Latency</h2><p class=\"soft\">The busiest operations. Both scales are logarithmic: each step to \
             the right is ten times rarer.</p><div class=\"broad\">{latencies}</div></section>"
        );
    }
    if !over_time.is_empty() {
        let _ = writeln!(text, "<section><h2>Over time</h2><div class=\"plots\">{over_time}</div></section>");
    }
    text
}

fn operations(report: &Report) -> String {
    let row = |(part, operation): (&str, &Operation)| {
        let times: String = operation.times().iter().map(|time| format!("<td>{time}</td>")).collect();
        let name = escaped(&format!("{part}: {}", operation.name));
        format!("<tr><td>{name}</td><td>{}</td><td>{}</td>{times}</tr>", operation.count, operation.failed)
    };
    let head = ["operation", "count", "failed", "p50", "p90", "p99", "p99.9", "max"];
    table("Every operation", &head, &report.operations().map(row).collect::<String>())
}

fn server(report: &Report) -> String {
    let (Some(before), Some(after)) = (&report.server.before, &report.server.after) else { return String::new() };
    let row = |(name, was, is): (String, String, String)| {
        format!("<tr><td>{}</td><td>{was}</td><td>{is}</td></tr>", escaped(&name))
    };
    let rows: String = super::counts(before, after).into_iter().map(row).collect();
    table("The server's own figures", &["", "before", "after"], &rows)
}

fn settings(report: &Report) -> String {
    let row = |(name, value): (&String, &String)| {
        format!("<tr><td>{}</td><td class=\"text\">{}</td></tr>", escaped(name), escaped(value))
    };
    table("This run", &[], &report.settings.iter().map(row).collect::<String>())
}

/// A section that is a table; its rows are written already.
fn table(title: &str, head: &[&str], rows: &str) -> String {
    let head: String = head.iter().map(|name| format!("<th>{name}</th>")).collect();
    format!("<section><h2>{title}</h2><div class=\"scroll\"><table><tr>{head}</tr>{rows}</table></div></section>\n")
}
