//! The stress runner: what a team tries by hand before a release, as a program, against any MCP server.
//!
//! `cargo run --release --example stress -- --url http://127.0.0.1:8932/mcp` takes six minutes with the defaults; `--time-scale
//! 0.02` makes it ten seconds, against a server that was started with `--idle-timeout 6s --token-ttl 1s`.
//!
//! | question | file |
//! |---|---|
//! | What does each scenario do and ask for? | `scenario` |
//! | Which clients does it play? | `client`; for demonstrations `simulate` |
//! | What does it learn from the server's monitor? | `monitor` |
//! | How are times measured, and at a rate? | `measure.rs`, `pace.rs` |
//! | Which goals did people write down, and what speaks for them? | `criteria.rs`, `evidence.rs`, `memory.rs` |
//! | How does a run begin, and how does it go? | `meet.rs`, `run.rs` |
//! | What comes out of it? | `report`, `compare.rs` |

#![forbid(unsafe_code)]

mod client;
mod compare;
mod criteria;
mod evidence;
mod measure;
mod meet;
mod memory;
mod monitor;
mod options;
mod pace;
mod progress;
mod report;
mod run;
mod scenario;
mod simulate;

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use crate::criteria::Verdict;
use crate::options::Options;
use crate::report::{Report, terminal};

/// The command line makes no sense.
const USAGE: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match &options.compare[..] {
        [before, after] => compared(before, after),
        _ => played(options).await,
    };
    outcome.unwrap_or_else(|why| {
        eprintln!("error: {why}");
        ExitCode::from(USAGE)
    })
}

/// Plays the scenarios and leaves the report.
async fn played(options: Options) -> Result<ExitCode, String> {
    let scenarios = scenario::chosen(&options.scenario)?;
    let directory = options.report.clone();
    // Nobody wants to hear of it after six minutes.
    fs::create_dir_all(&directory).map_err(|error| format!("cannot make {}: {error}", directory.display()))?;
    let report = run::run(options, scenarios).await?;
    let page = report.write(&directory)?;
    let colours = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    print(&format!("{}report: {}\n", terminal::of(&report, colours), page.display()));
    Ok(match (report.interrupted, report.count(Verdict::Failed)) {
        (true, _) => ExitCode::from(run::INTERRUPTED),
        (false, 0) => ExitCode::SUCCESS,
        (false, _) => ExitCode::FAILURE,
    })
}

/// Shows what changed from one report to another.
fn compared(before: &Path, after: &Path) -> Result<ExitCode, String> {
    let (text, worse) = compare::compare(&Report::read(before)?, &Report::read(after)?);
    print(&text);
    Ok(if worse == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// To whoever still reads: `head` may have left.
fn print(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}
