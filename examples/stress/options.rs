//! What can be said on the command line, and what follows from it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use http::HeaderName;
use humantime::parse_duration;

/// Runs scenarios against an MCP server and says which criteria it meets.
///
/// Any server that speaks MCP over Streamable HTTP will do, on one URL or on several replicas. With a monitor of
/// tower-mcp-sessions beside it more can be shown; what this server cannot show is skipped, and the report says why.
#[derive(Parser, Debug)]
#[command(version, after_help = AFTER)]
pub struct Options {
    /// The server's MCP endpoint; several are replicas of one server.
    #[arg(long, value_name = "URL", num_args = 1.., required_unless_present = "compare", help_heading = "The server")]
    pub url: Vec<String>,

    /// Where the monitor is mounted; several are viewed in turn [default: beside each --url, if it answers there].
    #[arg(long, value_name = "URL", num_args = 1.., help_heading = "The server")]
    pub monitor: Vec<String>,

    /// Do without a monitor.
    #[arg(long, conflicts_with = "monitor", help_heading = "The server")]
    pub no_monitor: bool,

    /// The monitor's token, sent as `Authorization: Bearer`.
    #[arg(long, value_name = "FILE", help_heading = "The server")]
    pub monitor_token_file: Option<PathBuf>,

    /// The idle timeout it was started with [default: 5m × time-scale].
    #[arg(long, value_name = "TIME", value_parser = parse_duration, help_heading = "The server")]
    pub idle_timeout: Option<Duration>,

    /// Name each client's user in this header, as a proxy in front would.
    #[arg(long, value_name = "NAME", help_heading = "The server")]
    pub principal_header: Option<HeaderName>,

    /// The tool to call, which answers with the text it is given [default: echo or greet; else the tools are listed].
    #[arg(long, value_name = "NAME", requires = "argument", help_heading = "The server")]
    pub tool: Option<String>,

    /// The argument of --tool that takes the text.
    #[arg(long, value_name = "NAME", requires = "tool", help_heading = "The server")]
    pub argument: Option<String>,

    /// A process of it on this machine, whose memory is measured; all of several replicas.
    #[arg(long, value_name = "PID", num_args = 1.., help_heading = "The server")]
    pub pid: Vec<u32>,

    /// A Prometheus page that tells `process_resident_memory_bytes`, for a process elsewhere.
    #[arg(long, value_name = "URL", num_args = 1.., help_heading = "The server")]
    pub metrics: Vec<String>,

    /// `all`, or names: see below.
    #[arg(long, value_name = "NAME", num_args = 1.., default_value = "all", help_heading = "The run")]
    pub scenario: Vec<String>,

    /// How many clients [default: 5; simulate: 200].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "The run")]
    pub clients: Option<u32>,

    /// Calls of each client.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..), help_heading = "The run")]
    pub calls: u32,

    /// How many viewers watch the feed.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..), help_heading = "The run")]
    pub viewers: u32,

    /// How long the scenarios that wait, churn or soak take [default: 6m × time-scale; simulate: until Ctrl-C].
    #[arg(long, value_name = "TIME", value_parser = parse_duration, help_heading = "The run")]
    pub duration: Option<Duration>,

    /// Shrinks every time that is not given: at 0.02 an idle timeout of 5 minutes is one of 6 seconds. The server does not
    /// know: start it with the same `--idle-timeout`.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = positive, help_heading = "The run")]
    pub time_scale: f64,

    /// Start this many sessions (churn, feed) or calls (concurrent) a second, however slow the answers are, and measure each
    /// from when it should have started [default: churn and feed 20; in concurrent each client waits for its answer before it
    /// asks again].
    #[arg(long, value_name = "PER-SECOND", value_parser = positive, help_heading = "The run")]
    pub rate: Option<f64>,

    /// How long to wait for an answer.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration, help_heading = "The run")]
    pub patience: Duration,

    /// What is random is the same with the same seed.
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "The run")]
    pub seed: u64,

    /// How long the monitor's API may take (p99).
    #[arg(long, value_name = "TIME", default_value = "200ms", value_parser = parse_duration, help_heading = "Goals")]
    pub api_limit: Duration,

    /// How long a query of the session store may take (p99).
    #[arg(long, value_name = "TIME", default_value = "50ms", value_parser = parse_duration, help_heading = "Goals")]
    pub store_limit: Duration,

    /// How long an event may take to a viewer (p99).
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration, help_heading = "Goals")]
    pub event_limit: Duration,

    /// Where report.json, report.md and report.html go.
    #[arg(long, value_name = "DIR", default_value = "stress-report", help_heading = "The report")]
    pub report: PathBuf,

    /// Run nothing: show what changed from one report.json to another.
    #[arg(long, value_names = ["A.json", "B.json"], num_args = 2, exclusive = true, help_heading = "The report")]
    pub compare: Vec<PathBuf>,
}

const AFTER: &str = "\
Scenarios (`all` is the first eight; `--scenario lifecycle stale` is two of them):
  lifecycle    connect, call, look into the monitor, disconnect: all succeed
  concurrent   all clients at once: no conflict, no answer to somebody else
  round-robin  each client's calls go to the replicas in turn
  streams      a stream is cut and resumed elsewhere: nothing lost, nothing twice
  reconnect    with a token the same session, without one a new one; bad tokens are refused; of several one wins
  stale        a session idle past the timeout is marked disconnected, within a fifth of it
  heartbeat    pings keep a session active past the timeout, and one without pings is not
  feed         viewers see every session come and go; what the feed saves over polling
  churn        sessions open, call and close at a rate
  soak         sessions stay and call now and then: no failures, memory stays flat
  simulate     believable clients come, work, leave and return until Ctrl-C: life for a dashboard

Goals are what people wrote down before: those three limits, and reconnects > 95 %, traffic saved over polling > 90 %,
memory < 100 MB per session.

Try it in ten seconds instead of six minutes:
  server --idle-timeout 6s --token-ttl 1s --rate-limits off
  stress --url http://127.0.0.1:8932/mcp --time-scale 0.02

Times are written 250ms, 30s, 5m or 1h. The URLs are http: for https put a proxy in between.

Ctrl-C ends a run: its sessions are closed, and what was measured until then is reported. A second one leaves at once.

Exit status: 0 if no criterion failed, 1 if one did (with --compare: one that did not before), 2 if the command line makes
no sense or nobody answers there, 130 if the run was interrupted (the simulation is not: Ctrl-C is its end).";

fn positive(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    (value.is_finite() && value > 0.0).then_some(value).ok_or_else(|| "must be greater than 0".to_owned())
}

const IDLE_TIMEOUT: Duration = Duration::from_secs(300);
const DURATION: Duration = Duration::from_secs(360);

impl Options {
    /// A time of real life, in this run.
    pub fn scaled(&self, time: Duration) -> Duration {
        time.mul_f64(self.time_scale)
    }

    pub fn idle_timeout(&self) -> Duration {
        self.idle_timeout.unwrap_or_else(|| self.scaled(IDLE_TIMEOUT))
    }

    pub fn duration(&self) -> Duration {
        self.duration.unwrap_or_else(|| self.scaled(DURATION))
    }

    pub fn clients(&self) -> usize {
        self.clients.unwrap_or(5) as usize
    }
}
