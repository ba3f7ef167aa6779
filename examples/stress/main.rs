//! The stress runner: what a team tries by hand before a release, as a program, against any MCP server.
//!
//! `cargo run --release --example stress -- --url http://127.0.0.1:8932/mcp` takes six minutes with the defaults; `--time-scale
//! 0.02` makes it ten seconds, against a server that was started with `--idle-timeout 6s`.
//!
//! | question | file |
//! |---|---|
//! | What does each scenario do and ask for? | `scenario` |
//! | Which clients does it play? | `client`; for demonstrations `simulate` |
//! | What does it learn from the server's monitor? | `monitor` |
//! | How are times measured, and at a rate? | `measure.rs`, `pace.rs` |
//! | Which goals did people write down, and what speaks for them? | `criteria.rs`, `evidence.rs`, `memory.rs` |
//! | How does a run go? | `run.rs` |
//! | What comes out of it? | `report`, `compare.rs` |

#![forbid(unsafe_code)]

mod client;
mod compare;
mod criteria;
mod evidence;
mod measure;
mod memory;
mod monitor;
mod options;
mod pace;
mod progress;
mod report;
mod run;
mod scenario;
mod simulate;

use std::io::IsTerminal;
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
        [before, after] => {
            Report::read(before).and_then(|before| Ok((before, Report::read(after)?))).map(|(before, after)| {
                let (text, worse) = compare::compare(&before, &after);
                println!("{text}");
                worse == 0
            })
        }
        _ => played(options).await,
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(USAGE)
        }
    }
}

/// Plays the scenarios and leaves the report; whether no criterion failed.
async fn played(options: Options) -> Result<bool, String> {
    let scenarios = scenario::chosen(&options.scenario)?;
    let directory = options.report.clone();
    let report = run::run(options, scenarios).await?;
    let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    print!("{}", terminal::of(&report, colours));
    let page = report.write(&directory)?;
    println!("report: {}", page.display());
    Ok(report.count(Verdict::Failed) == 0)
}
