//! How many instructions does the layer add to a request? Each row is something a client does, counted by callgrind in process:
//! bare, and behind the layer. What counts is the difference of the two in the same run, and `budget.json` says
//! how large it may be.
//!
//! - `cargo bench -p instructions` prints the table; names of rows after `--` count these alone.
//! - `-- --check` compares with the budget and fails where a row costs more than 3 % above it. What `integration/run` does.
//! - `-- --write` lowers the budget to what was counted. Where a row has grown past its limit it wants `--reason '…'`, which
//!   goes into the file with the figure. It never raises a figure by less: small growth adds up.
//!
//! Counts are those of one compiler, so the budget names it; compared with figures of another, nothing fails. Where the
//! instructions go: `callgrind_annotate --inclusive=yes target/tmp/instructions/<row>.<setup>.out`.
//!
//! # Why the counts hold still
//!
//! Instructions do not depend on how busy the machine is; what a replica does *by time* would. So the clock of the runtime
//! stands still (`stage`): no flush, no sweep, no verdict that ages, which are rows of their own if they are to be counted. One
//! thread runs the client, the service and its background tasks; a window ends when the tasks it spawned have ended. Redis is
//! another process and not counted. Callgrind knows the window by the name of a function (`--toggle-collect`). Allocations have
//! one price (`callgrind`, `stage`). What is left, less than 0.5 %, are the random seeds of hash maps and the order in which
//! sockets become readable.
//!
//! # Why a runner of its own
//!
//! gungraun (once iai-callgrind) wants its runner, of just its version, installed on every machine by `cargo install`. It
//! compares a row with the same row of an earlier run; the budget here is for the difference of two rows of one run, which
//! it does not know. What remains to be done is to start valgrind and to read one number.

mod budget;
mod callgrind;
mod client;
mod compiler;
mod probe;
mod report;
mod rows;
mod setup;
mod stage;
#[path = "../support"]
mod support {
    pub mod cores;
    pub mod handler;
    pub mod redis;

    pub use cores::pin;
}

use std::process::ExitCode;

use crate::budget::Budget;
use crate::report::{Report, Verdict};
use clap::Parser;

/// Instructions above the bare service, by callgrind.
#[derive(Parser)]
struct Options {
    /// Only these rows.
    rows: Vec<String>,
    /// Fail where a row costs more than its budget allows.
    #[arg(long, conflicts_with = "write")]
    check: bool,
    /// Write what was counted into the budget.
    #[arg(long)]
    write: bool,
    /// Why rows that cost more than their budget allowed may.
    #[arg(long, requires = "write")]
    reason: Option<String>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    if callgrind::measure_if_asked() {
        return ExitCode::SUCCESS;
    }
    let options = Options::parse();
    if let Some(missing) = callgrind::missing() {
        eprintln!("\n*** {missing} is not installed: NO INSTRUCTIONS ARE COUNTED ***\n");
        return if options.check || options.write { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("\n{text}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let rows = rows::named(&options.rows)?;
    let budget = Budget::read()?;
    let figures: Vec<_> = rows.iter().flat_map(|row| callgrind::count(row)).collect();
    let report = Report::new(&budget, &figures);
    report.print();
    report.save()?;
    if options.write {
        return budget.updated(&report, options.reason.as_deref(), options.rows.is_empty())?.write();
    }
    match report.verdict(options.rows.is_empty()) {
        Verdict::Within => Ok(()),
        Verdict::Incomparable(text) => {
            println!("\n*** {text} ***");
            Ok(())
        }
        Verdict::Over(text) if options.check => Err(text),
        Verdict::Over(text) => {
            println!("\n{text}");
            Ok(())
        }
    }
}
