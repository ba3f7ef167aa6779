//! The report as one page that needs nothing else.

use std::fmt::Write;

use super::plot::{Plot, Scale, Trace, escaped, seconds, times};
use super::style::STYLE;
use super::{Operation, Played, Report, bytes, ms};
use crate::criteria::{Criterion, Verdict};

/// Lines in one plot: of more, those with the most operations.
const LINES: usize = 8;

pub fn of(report: &Report) -> String {
    let failed = report.count(Verdict::Failed) > 0;
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Stress report</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><style>{STYLE}</style></head><body>\n\
         <h1>Stress report</h1><p class=\"verdict {}\">{}</p><p class=\"soft\">{}, {:.1} s</p>\n",
        if failed { "bad" } else { "good" },
        escaped(&report.summary()),
        escaped(&report.began),
        report.took_seconds
    );
    if !report.written_down.is_empty() {
        let _ = writeln!(page, "<section><h2>Goals</h2>{}</section>", criteria(&report.written_down));
    }
    page.push_str(&latencies(report));
    page.push_str(&over_time(report));
    for played in &report.scenarios {
        page.push_str(&scenario(played));
    }
    page.push_str(&table(report));
    page.push_str(&server(report));
    page.push_str(&settings(report));
    page.push_str("</body></html>\n");
    page
}

fn criteria(criteria: &[Criterion]) -> String {
    let item = |Criterion { name, verdict, detail }: &Criterion| {
        let (class, word) = match verdict {
            Verdict::Passed => ("good", "✓ met"),
            Verdict::Failed => ("bad", "✗ failed"),
            Verdict::Skipped => ("open", "skipped"),
        };
        format!("<li><b class=\"{class}\">{word}</b><b>{}</b><span>{}</span></li>", escaped(name), escaped(detail))
    };
    format!("<ul class=\"criteria\">{}</ul>", criteria.iter().map(item).collect::<String>())
}

fn scenario(played: &Played) -> String {
    let mut text = format!(
        "<section><h2>{}</h2><p class=\"soft\">{}; {:.1} s</p>{}",
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

/// The operations worth a line.
fn busiest(report: &Report) -> Vec<(String, &Operation)> {
    let mut all: Vec<_> = report.operations().filter(|(_, operation)| operation.count > 1).collect();
    all.sort_by_key(|(_, operation)| std::cmp::Reverse(operation.count));
    all.into_iter().take(LINES).map(|(part, operation)| (format!("{part}: {}", operation.name), operation)).collect()
}

fn latencies(report: &Report) -> String {
    // From left to right each step is ten times rarer.
    let rare = |share: f64| -(1.0 - share).log10();
    let line = |(name, operation): (String, &Operation)| Trace {
        name,
        points: operation.curve.iter().map(|point| (rare(point.share), point.ms)).collect(),
    };
    let plot = Plot {
        title: "How long it took, from the median to the slowest",
        traces: busiest(report).into_iter().map(line).collect(),
        scale: Scale::Logarithmic,
        vertical: times,
        ticks: [0.5, 0.9, 0.99, 0.999, 0.9999]
            .map(|share| (rare(share), format!("{}%", (share * 1e6).round() / 1e4)))
            .into(),
        across: "share that was faster",
    };
    format!(
        "<section><h2>Latency</h2><p class=\"soft\">The busiest operations; the scale is logarithmic.</p><div class=\"broad\">{}</div></section>\n",
        plot.figure()
    )
}

fn over_time(report: &Report) -> String {
    let samples = &report.server.samples;
    let last = samples.last().map_or(0.0, |sample| sample.at_seconds);
    let plot = |title, traces: Vec<Trace>, vertical| Plot {
        title,
        ticks: seconds(traces.iter().flat_map(|trace| &trace.points).map(|(x, _)| *x).fold(last, f64::max)),
        traces,
        scale: Scale::FromZero,
        vertical,
        across: "seconds",
    };
    let sessions = samples.iter().map(|sample| (sample.at_seconds, sample.sessions as f64)).collect();
    let memory: Vec<_> = samples.iter().filter_map(|s| Some((s.at_seconds, s.memory_bytes? as f64))).collect();
    let mut plots =
        vec![plot("Sessions open", vec![Trace { name: "sessions of this run".to_owned(), points: sessions }], whole)];
    if !memory.is_empty() {
        plots.push(plot(
            "The server's memory",
            vec![Trace { name: "all its processes".to_owned(), points: memory }],
            bytes,
        ));
    }
    let moments = |value: fn(&super::Moment) -> f64| -> Vec<Trace> {
        let long = busiest(report).into_iter().filter(|(_, operation)| operation.over_time.len() > 4);
        long.map(|(name, operation)| Trace {
            name,
            points: operation.over_time.iter().map(|moment| (moment.at_seconds, value(moment))).collect(),
        })
        .collect()
    };
    plots.push(plot("Operations a second, since the scenario began", moments(|moment| moment.per_second), whole));
    plots.push(plot("The slowest at each time", moments(|moment| moment.max_ms.unwrap_or(f64::NAN)), times));
    let figures: String = plots.iter().map(Plot::figure).collect();
    format!("<section><h2>Over time</h2><div class=\"plots\">{figures}</div></section>\n")
}

fn whole(value: f64) -> String {
    format!("{}", (value * 10.0).round() / 10.0)
}

fn table(report: &Report) -> String {
    let row = |(part, operation): (&str, &Operation)| {
        let times = [operation.p50_ms, operation.p90_ms, operation.p99_ms, operation.p999_ms, operation.max_ms];
        let times: String = times.iter().map(|time| format!("<td>{}</td>", ms(*time))).collect();
        let name = escaped(&format!("{part}: {}", operation.name));
        format!("<tr><td>{name}</td><td>{}</td><td>{}</td>{times}</tr>", operation.count, operation.failed)
    };
    format!(
        "<section><h2>Every operation</h2><div class=\"scroll\"><table><tr><th>operation</th><th>count</th><th>failed</th><th>p50</th>\
         <th>p90</th><th>p99</th><th>p99.9</th><th>max</th></tr>{}</table></div></section>\n",
        report.operations().map(row).collect::<String>()
    )
}

fn server(report: &Report) -> String {
    let (Some(before), Some(after)) = (&report.server.before, &report.server.after) else { return String::new() };
    let row = |(name, was, is): (String, String, String)| {
        format!("<tr><td>{}</td><td>{was}</td><td>{is}</td></tr>", escaped(&name))
    };
    format!(
        "<section><h2>The server's own figures</h2><div class=\"scroll\"><table><tr><th></th><th>before</th><th>after</th></tr>{}</table>\
         </div></section>\n",
        super::figures(before, after).into_iter().map(row).collect::<String>()
    )
}

fn settings(report: &Report) -> String {
    let row = |(name, value): (&String, &String)| {
        format!("<tr><td>{}</td><td class=\"text\">{}</td></tr>", escaped(name), escaped(value))
    };
    let rows: String = report.settings.iter().map(row).collect();
    format!("<section><h2>This run</h2><div class=\"scroll\"><table>{rows}</table></div></section>\n")
}
