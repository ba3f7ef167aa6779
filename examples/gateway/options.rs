//! What can be said on the command line.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;

use crate::monitor_options::MonitorOptions;
use crate::session_options::SessionOptions;

/// Keeps the sessions of an MCP server in any language, so that any replica of this gateway can serve them.
///
/// Clients connect to /mcp here; the server behind it stays as it is.
#[derive(Parser)]
#[command(version)]
pub struct Options {
    /// Address to listen on; port 0 picks a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8935")]
    pub listen: SocketAddr,

    /// MCP endpoint of the server behind this gateway: http://host[:port]/path. All replicas may name the same one, or each
    /// its own.
    #[arg(long, value_name = "URL")]
    pub upstream: String,

    /// How long the upstream may take to begin an answer [default: as long as it likes, since calls may be long].
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub upstream_timeout: Option<Duration>,

    #[command(flatten)]
    pub sessions: SessionOptions,

    #[command(flatten)]
    pub monitor: MonitorOptions,
}
