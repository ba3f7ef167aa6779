//! Meeting the server for the first time: what it is, which tools it has, and where its monitors are.

use std::fs;
use std::sync::Arc;
use std::time::Instant;

use reqwest::StatusCode;
use tokio_util::sync::CancellationToken;

use crate::client::target::checked;
use crate::client::{Client, Errand, Failure, Ledger, Target, errand};
use crate::evidence::Evidence;
use crate::memory::Processes;
use crate::monitor::Monitor;
use crate::options::Options;
use crate::progress::Progress;
use crate::scenario::Server;

/// Talks to the server for the first time.
///
/// # Errors
///
/// If there is nobody to talk to, or what was said of the server is not so.
pub async fn meet(options: Options) -> Result<Server, String> {
    let began = Instant::now();
    let target = Arc::new(Target::new(&options.url, options.principal_header.clone(), options.patience)?);
    let (evidence, progress) = (Arc::new(Evidence::new()), Progress::new());
    let tools = tools(&target).await?;
    let errand = errand(&options, &tools)?;
    let processes = Arc::new(Processes::of(&options, &target.http).await?);
    let monitors = monitors(&options, &target, &evidence, &progress).await?;
    let (ledger, stop) = (Arc::new(Ledger::default()), CancellationToken::new());
    Ok(Server { began, target, monitors, tools, errand, options, evidence, ledger, processes, progress, stop })
}

/// The tools it has, asked for in a session of their own.
async fn tools(target: &Arc<Target>) -> Result<Vec<String>, String> {
    let client = Client {
        target: Arc::clone(target),
        name: "stress".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        principal: target.principal_header.is_some().then(|| "stress".to_owned()),
        home: 0,
    };
    let session = client.open().await.map_err(|failure| match failure.is(StatusCode::NOT_FOUND) {
        true => format!("there is no MCP endpoint at {}: it answers 404", target.url(0)),
        false => cannot_talk(target, &failure),
    })?;
    let asking = async {
        let tools = errand::tools(&session).await?;
        session.close().await.map(|()| tools)
    };
    asking.await.map_err(|failure| cannot_talk(target, &failure))
}

fn cannot_talk(target: &Target, failure: &Failure) -> String {
    let hint = failure.hint().map(|hint| format!("\n{hint}")).unwrap_or_default();
    format!("cannot talk to {}: {failure}{hint}", target.url(0))
}

/// What clients call.
fn errand(options: &Options, tools: &[String]) -> Result<Errand, String> {
    match (&options.tool, &options.argument) {
        (Some(tool), Some(argument)) if tools.contains(tool) => {
            Ok(Errand::Saying { tool: tool.clone(), argument: argument.clone() })
        }
        (Some(tool), _) => Err(format!("the server has no tool {tool:?}; it has {}", tools.join(", "))),
        (None, _) => Ok(Errand::among(tools)),
    }
}

/// The monitors that were named; else those that stand beside the endpoints.
async fn monitors(
    options: &Options,
    target: &Target,
    evidence: &Arc<Evidence>,
    progress: &Progress,
) -> Result<Vec<Monitor>, String> {
    if options.no_monitor {
        progress.say("without a monitor: what only a monitor shows is skipped");
        return Ok(Vec::new());
    }
    let (token, mut found, mut why_not) = (token(options)?, Vec::new(), String::new());
    for named in &options.monitor {
        let monitor = Monitor::at(&checked(named)?, target, token.clone(), evidence).await;
        found.push(monitor.map_err(|failure| format!("there is no monitor at {named}: {}", with_hint(&failure)))?);
    }
    if options.monitor.is_empty() {
        for url in &target.urls {
            let beside = url.strip_suffix("/mcp").unwrap_or(url);
            match Monitor::at(beside, target, token.clone(), evidence).await {
                Ok(monitor) => found.push(monitor),
                Err(failure) if failure.is_refusal() => why_not = format!(" ({beside}: {})", with_hint(&failure)),
                Err(_) => {}
            }
        }
    }
    progress.say(&match found.len() {
        0 => format!("no monitor{why_not}: what only a monitor shows is skipped"),
        1 => "with the monitor".to_owned(),
        several => format!("with the monitor on {several} replicas"),
    });
    Ok(found)
}

fn with_hint(failure: &Failure) -> String {
    match failure.is_refusal() {
        true => format!("{failure}; it wants another --monitor-token-file"),
        false => failure.to_string(),
    }
}

fn token(options: &Options) -> Result<Option<Arc<str>>, String> {
    let Some(file) = &options.monitor_token_file else { return Ok(None) };
    let text = fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    Ok(Some(Arc::from(text.trim())))
}
