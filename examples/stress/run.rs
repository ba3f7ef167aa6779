//! A run from beginning to end: finds out what the server is, plays the scenarios, and gathers the report.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures::future::join_all;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::client::target::checked;
use crate::client::{Client, Errand, Target, errand};
use crate::criteria::{Criterion, written_down};
use crate::evidence::Evidence;
use crate::memory::Scale;
use crate::monitor::Monitor;
use crate::options::Options;
use crate::progress::Progress;
use crate::report::{self, FORMAT, Played, Report};
use crate::scenario::{Scenario, Server, Stage};

/// How long scenarios may take to end after Ctrl-C.
const GRACE: Duration = Duration::from_secs(8);

/// Plays the scenarios.
///
/// # Errors
///
/// If the command line makes no sense, or there is nobody to talk to.
pub async fn run(options: Options, scenarios: Vec<Box<dyn Scenario>>) -> Result<Report, String> {
    let (began, clock) = (Instant::now(), SystemTime::now());
    let server = Arc::new(meet(options).await?);
    let scale = Scale::begin(&server.options, &server.target.http, &server.evidence).await;
    let before = health(&server).await;
    stop_on_ctrl_c(&server);
    let is_simulation = scenarios.iter().all(|scenario| scenario.name() == "simulate");
    let (waiting, quick): (Vec<_>, Vec<_>) = scenarios.into_iter().partition(|scenario| scenario.waits());
    let mut played = Vec::new();
    for scenario in quick {
        played.push(play(&server, &*scenario).await);
    }
    played.extend(join_all(waiting.iter().map(|scenario| play(&server, &**scenario))).await);
    let samples = scale.samples();
    let written_down =
        if is_simulation { Vec::new() } else { written_down(&server.options, &server.evidence, &samples) };
    let after = health(&server).await;
    Ok(Report {
        format: FORMAT,
        began: humantime::format_rfc3339_seconds(clock).to_string(),
        took_seconds: began.elapsed().as_secs_f64(),
        settings: settings(&server),
        scenarios: played,
        written_down,
        monitor: server.evidence.api.operations(),
        server: report::Server { before, after, samples },
    })
}

async fn play(server: &Arc<Server>, scenario: &dyn Scenario) -> Played {
    let bar = server.progress.begin(scenario.name(), scenario.about());
    let stage = Stage::new(server, scenario.name(), bar);
    let began = Instant::now();
    let stopped = async {
        server.stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    let criteria = match server.stop.is_cancelled() {
        true => vec![interrupted()],
        false => tokio::select! {
            criteria = scenario.play(&stage) => criteria,
            () = stopped => vec![interrupted()],
        },
    };
    stage.bar.finish();
    let played = Played {
        name: scenario.name().to_owned(),
        about: scenario.about().to_owned(),
        took_seconds: began.elapsed().as_secs_f64(),
        criteria,
        operations: stage.measure.operations(),
        failures: stage.measure.failures(),
        notes: stage.notes(),
    };
    server.progress.say(&told(&played));
    played
}

fn interrupted() -> Criterion {
    Criterion::failed("it runs to its end", "it was interrupted")
}

fn told(played: &Played) -> String {
    use crate::criteria::Verdict;
    let failed: Vec<_> =
        played.criteria.iter().filter(|c| c.verdict == Verdict::Failed).map(|c| c.name.as_str()).collect();
    match failed.is_empty() {
        true => format!("{}: done in {:.1} s", played.name, played.took_seconds),
        false => format!("{}: FAILED in {:.1} s: {}", played.name, played.took_seconds, failed.join("; ")),
    }
}

/// Talks to the server for the first time.
async fn meet(options: Options) -> Result<Server, String> {
    let target = Arc::new(Target::new(&options.url, options.principal_header.clone(), options.patience)?);
    let (evidence, progress) = (Arc::new(Evidence::new()), Progress::new());
    let first = Client {
        target: Arc::clone(&target),
        name: "stress".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        principal: target.principal_header.is_some().then(|| "stress".to_owned()),
        home: 0,
    };
    let met = async {
        let session = first.open().await?;
        let tools = errand::tools(&session).await?;
        session.close().await.map(|()| tools)
    };
    let tools = met.await.map_err(|failure| {
        let hint = failure.hint().map(|hint| format!("\n{hint}")).unwrap_or_default();
        format!("cannot talk to {}: {failure}{hint}", target.url(0))
    })?;
    let errand = match (&options.tool, &options.argument) {
        (Some(tool), Some(argument)) if tools.contains(tool) => {
            Errand::Saying { tool: tool.clone(), argument: argument.clone() }
        }
        (Some(tool), _) => return Err(format!("the server has no tool {tool:?}; it has {}", tools.join(", "))),
        (None, _) => Errand::among(&tools),
    };
    let monitors = monitors(&options, &target, &evidence).await?;
    progress.say(&match monitors.len() {
        0 => "no monitor: what only a monitor shows is skipped".to_owned(),
        1 => "with the monitor".to_owned(),
        several => format!("with the monitor on {several} replicas"),
    });
    Ok(Server { target, monitors, tools, errand, options, evidence, progress, stop: CancellationToken::new() })
}

/// The monitors that were named; else those that stand beside the endpoints.
async fn monitors(options: &Options, target: &Target, evidence: &Arc<Evidence>) -> Result<Vec<Monitor>, String> {
    let token = options.monitor_token_file.as_ref().map(|file| {
        let text = std::fs::read_to_string(file);
        text.map(|text| Arc::from(text.trim())).map_err(|error| format!("cannot read {}: {error}", file.display()))
    });
    let token: Option<Arc<str>> = token.transpose()?;
    let mut found = Vec::new();
    if options.no_monitor {
        return Ok(found);
    }
    for named in &options.monitor {
        let monitor = Monitor::at(&checked(named)?, target, token.clone(), evidence).await;
        found.push(monitor.map_err(|failure| format!("there is no monitor at {named}: {failure}"))?);
    }
    if options.monitor.is_empty() {
        for url in &target.urls {
            let beside = url.strip_suffix("/mcp").unwrap_or(url);
            found.extend(Monitor::at(beside, target, token.clone(), evidence).await.ok());
        }
    }
    Ok(found)
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
            progress.say("interrupted: ending; once more to leave at once");
            stop.cancel();
        }
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(130);
        }
    });
}

fn settings(server: &Server) -> BTreeMap<String, String> {
    let options = &server.options;
    let time = |time: Duration| format!("{time:?}");
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
