//! Rounds of rmcp as the client: session after session, several at a time, each with everything that a replica must not keep
//! to itself. The same steps as `clients/ts/rounds.mjs` and `clients/py/rounds.py`, and the same report.

mod noting;
mod round;
mod tally;
mod visitor;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::StreamExt;
use serde::Deserialize;
use serde_json::Value;

use self::round::Round;
use self::tally::Tally;
use crate::harness::clients::DriveReport;

/// What the drivers take, with their defaults.
#[derive(Debug, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Options {
    rounds: usize,
    parallel: usize,
    from: u32,
    interval_ms: u64,
    notice_timeout_ms: u64,
    call_timeout_ms: u64,
    timeout_ms: u64,
    tolerate: Option<Tolerated>,
}

/// What a step is tried once more for.
#[derive(Debug, Deserialize)]
enum Tolerated {
    #[serde(rename = "interrupted calls")]
    InterruptedCalls,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rounds: 25,
            parallel: 8,
            from: 5,
            interval_ms: 20,
            notice_timeout_ms: 10_000,
            call_timeout_ms: 10_000,
            timeout_ms: 30_000,
            tolerate: None,
        }
    }
}

/// Runs rounds against the MCP endpoint `url`, with the drivers' options.
///
/// # Panics
///
/// If an option is of the wrong type. A failed step is no panic: it is in the report.
pub(crate) async fn rounds(url: &str, options: Value) -> DriveReport {
    let options: Options = serde_json::from_value(options).expect("options as the drivers take them");
    let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    let tally = Tally::new(options.rounds);
    let nonce = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_nanos().to_string();
    let begun = |number| Round::new(url, &options, &tally, http.clone(), number, &nonce).play();
    let all = futures::stream::iter(1..=options.rounds).map(begun).buffer_unordered(options.parallel).collect::<()>();
    let limit = Duration::from_millis(options.timeout_ms);
    if tokio::time::timeout(limit, all).await.is_err() {
        tally.failed("start", 0, &format!("the scenario did not end within {limit:?}"));
    }
    tally.report()
}
