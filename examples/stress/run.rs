//! A run from beginning to end: plays the scenarios, closes what they leave open, and gathers the report.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures::future::join_all;
use serde_json::Value;

use crate::criteria::{Criterion, Verdict, written_down};
use crate::meet::meet;
use crate::memory::Scale;
use crate::options::Options;
use crate::report::{self, FORMAT, Played, Report, time};
use crate::scenario::{Scenario, Server, Stage};

/// How long scenarios may take to end by themselves after Ctrl-C.
const GRACE: Duration = Duration::from_secs(2);
/// How long closing what is left open may take.
const CLOSING: Duration = Duration::from_secs(10);
/// What an interrupted scenario cannot show.
const TO_ITS_END: &str = "it runs to its end";
/// The status of a program that was interrupted, as shells have it.
pub const INTERRUPTED: u8 = 130;

/// Plays the scenarios.
///
/// # Errors
///
/// If the command line makes no sense, or there is nobody to talk to.
pub async fn run(options: Options, scenarios: Vec<Box<dyn Scenario>>) -> Result<Report, String> {
    let clock = SystemTime::now();
    let server = Arc::new(meet(options).await?);
    let scale = Scale::begin(server.began, &server.processes, &server.ledger).await;
    let before = health(&server).await;
    stop_on_ctrl_c(&server);
    let is_endless = scenarios.iter().all(|scenario| scenario.is_endless());
    let played = play_all(&server, scenarios).await;
    let interrupted = server.stop.is_cancelled() && !is_endless;
    close_what_is_left(&server).await;
    let samples = scale.end().await;
    let after = health(&server).await;
    Ok(Report {
        format: FORMAT,
        began: humantime::format_rfc3339_seconds(clock).to_string(),
        took_seconds: server.began.elapsed().as_secs_f64(),
        interrupted,
        settings: settings(&server),
        written_down: if is_endless { Vec::new() } else { written_down(&server.options, &server.evidence, &samples) },
        scenarios: played,
        monitor: server.evidence.api.operations(),
        server: report::Server { before, after, samples },
    })
}

/// One after another; those that mostly wait, wait together at the end.
async fn play_all(server: &Arc<Server>, scenarios: Vec<Box<dyn Scenario>>) -> Vec<Played> {
    let (waiting, quick): (Vec<_>, Vec<_>) = scenarios.into_iter().partition(|scenario| scenario.waits());
    let mut played = Vec::new();
    for scenario in quick {
        played.push(play(server, &*scenario).await);
    }
    played.extend(join_all(waiting.iter().map(|scenario| play(server, &**scenario))).await);
    played
}

async fn play(server: &Arc<Server>, scenario: &dyn Scenario) -> Played {
    let began_seconds = server.began.elapsed().as_secs_f64();
    let bar = server.progress.begin(scenario.name(), scenario.about());
    let stage = Stage::new(server, scenario.name(), bar);
    let began = Instant::now();
    let mut criteria = ended(&stage, scenario).await;
    stage.bar.finish();
    let failures = stage.measure.failures();
    criteria.extend(nothing_else_fails(&criteria, &failures));
    let played = Played {
        name: scenario.name().to_owned(),
        about: scenario.about().to_owned(),
        began_seconds,
        took_seconds: began.elapsed().as_secs_f64(),
        criteria,
        operations: stage.measure.operations(),
        failures,
        notes: stage.notes(),
    };
    server.progress.say(&told(&played));
    played
}

/// Plays a scenario to its end, or to where Ctrl-C leaves it.
async fn ended(stage: &Stage, scenario: &dyn Scenario) -> Vec<Criterion> {
    let stop = &stage.server.stop;
    let interrupted = |when: &str| Criterion::skipped(TO_ITS_END, format!("it was interrupted {when}"));
    if stop.is_cancelled() {
        return vec![interrupted("before it began")];
    }
    let stopped = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        mut criteria = scenario.play(stage) => {
            criteria.extend(stage.was_cut_short().then(|| interrupted("before its time")));
            criteria
        }
        () = stopped => vec![interrupted("before its time")],
    }
}

/// A failure that no criterion asks about is one all the same.
fn nothing_else_fails(criteria: &[Criterion], failures: &BTreeMap<String, report::FailureCount>) -> Option<Criterion> {
    let is_told = criteria.is_empty() || criteria.iter().any(|criterion| criterion.verdict == Verdict::Failed);
    let kinds: Vec<_> = failures.iter().map(|(kind, failure)| format!("{} × {kind}", failure.count)).collect();
    (!is_told && !kinds.is_empty()).then(|| Criterion::failed("nothing fails on the way", kinds.join(", ")))
}

fn told(played: &Played) -> String {
    let interrupted = played.criteria.iter().any(|criterion| criterion.name == TO_ITS_END);
    let failed: Vec<_> =
        played.criteria.iter().filter(|c| c.verdict == Verdict::Failed).map(|c| c.name.as_str()).collect();
    let how = match (failed.is_empty(), interrupted) {
        (false, _) => "FAILED",
        (true, true) => "interrupted",
        (true, false) => "done",
    };
    let told = format!("{}: {how} in {:.1} s", played.name, played.took_seconds);
    if failed.is_empty() { told } else { format!("{told}: {}", failed.join("; ")) }
}

/// Sessions that scenarios could not close, or were not given the time to.
async fn close_what_is_left(server: &Server) {
    let open = server.ledger.count();
    if open > 0 {
        server.progress.say(&format!("closing {open} sessions that are still open"));
    }
    let left = server.ledger.close_all(CLOSING).await;
    if left > 0 {
        server.progress.say(&format!("{left} sessions could not be closed: they expire"));
    }
}

/// The server's own counts.
async fn health(server: &Server) -> Option<Value> {
    let (mut health, _) = server.monitors.first()?.health().await.ok()?;
    let counts = health.as_object_mut()?;
    counts.retain(|_, value| value.is_object());
    Some(health)
}

/// The first Ctrl-C ends the scenarios, the second one the program.
fn stop_on_ctrl_c(server: &Arc<Server>) {
    let (stop, progress) = (server.stop.clone(), server.progress.clone());
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            progress.interrupted("interrupted: ending; once more to leave at once");
            stop.cancel();
        }
        if tokio::signal::ctrl_c().await.is_ok() {
            progress.leave();
            std::process::exit(INTERRUPTED.into());
        }
    });
}

fn settings(server: &Server) -> BTreeMap<String, String> {
    let options = &server.options;
    let monitor = match server.monitors.len() {
        0 => "none".to_owned(),
        count => format!("on {count} of {} replicas", server.target.urls.len()),
    };
    let mut settings = BTreeMap::from([
        ("url", server.target.urls.join(" ")),
        ("monitor", monitor),
        ("call", server.errand.told()),
        ("clients", options.clients().to_string()),
        ("calls", options.calls.to_string()),
        ("viewers", options.viewers.to_string()),
        ("time-scale", options.time_scale.to_string()),
        ("idle-timeout", time(options.idle_timeout())),
        ("duration", time(options.duration())),
        ("seed", options.seed.to_string()),
    ]);
    if let Some(rate) = options.rate {
        settings.insert("rate", format!("{rate} a second, measured from the intended start"));
    }
    settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
