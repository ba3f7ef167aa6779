//! Which plots a report has.

use super::plot::{Plot, Scale, Trace, seconds, sizes, times};
use super::{Moment, Operation, Report};

/// Lines in one plot: of more, those with the most operations.
const LINES: usize = 6;

/// An operation that is worth a line; it has the same colour everywhere.
struct Busy<'a> {
    name: String,
    colour: usize,
    /// When its scenario began, in seconds of the run.
    began: f64,
    operation: &'a Operation,
}

fn busiest(report: &Report) -> Vec<Busy<'_>> {
    let mut all: Vec<_> = report.operations().filter(|(_, operation)| operation.count > 1).collect();
    all.sort_by_key(|(_, operation)| std::cmp::Reverse(operation.count));
    let began =
        |part| report.scenarios.iter().find(|played| played.name == part).map_or(0.0, |played| played.began_seconds);
    let busiest = all.into_iter().take(LINES).enumerate();
    busiest
        .map(|(colour, (part, operation))| Busy {
            name: format!("{part}: {}", operation.name),
            colour,
            began: began(part),
            operation,
        })
        .collect()
}

/// How long operations took, by how rare that is; nothing if nothing was measured.
pub fn latencies(report: &Report) -> String {
    // From left to right each step is ten times rarer.
    let rare = |share: f64| -(1.0 - share).log10();
    let line = |busy: Busy<'_>| Trace {
        points: busy.operation.curve.iter().map(|point| (rare(point.share), point.ms)).collect(),
        name: busy.name,
        colour: busy.colour,
    };
    let plot = Plot {
        title: "How long it took, from the fastest to the slowest",
        traces: busiest(report).into_iter().map(line).collect(),
        scale: Scale::Logarithmic,
        vertical: times,
        ticks: [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999]
            .map(|share| (rare(share), format!("{} %", (share * 1e6).round() / 1e4)))
            .into(),
        width: None,
        across: "share that was faster",
    };
    plot.figure()
}

/// How the run went.
pub fn over_time(report: &Report) -> String {
    let last = report.took_seconds;
    let plot = |title, traces, vertical| Plot {
        title,
        traces,
        scale: Scale::FromZero,
        vertical,
        ticks: seconds(last),
        width: Some(last),
        across: "seconds",
    };
    let plots = [
        plot("Sessions open", vec![sampled(report, |sample| Some(sample.sessions as f64))], whole),
        plot("Memory of the server", vec![sampled(report, |sample| Some(sample.memory_bytes? as f64))], sizes),
        plot("Operations a second", moments(report, |moment| moment.per_second), whole),
        plot("The slowest at each time", moments(report, |moment| moment.max_ms.unwrap_or(f64::NAN)), times),
    ];
    plots.iter().map(Plot::figure).collect()
}

fn sampled(report: &Report, value: fn(&super::Sample) -> Option<f64>) -> Trace {
    let samples = report.server.samples.iter();
    let points = samples.filter_map(|sample| Some((sample.at_seconds, value(sample)?))).collect();
    Trace { name: String::new(), points, colour: 0 }
}

fn moments(report: &Report, value: fn(&Moment) -> f64) -> Vec<Trace> {
    let long = busiest(report).into_iter().filter(|busy| busy.operation.over_time.len() > 2);
    let line = |busy: Busy<'_>| {
        let at = |moment: &Moment| (busy.began + moment.at_seconds, value(moment));
        Trace { points: busy.operation.over_time.iter().map(at).collect(), name: busy.name, colour: busy.colour }
    };
    long.map(line).collect()
}

fn whole(value: f64) -> String {
    format!("{}", (value * 10.0).round() / 10.0)
}
