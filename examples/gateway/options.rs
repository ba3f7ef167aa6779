//! What can be said on the command line.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use tower_mcp_sessions::InnerSessions;

use crate::log::LogOptions;
use crate::monitor_options::MonitorOptions;
use crate::session_options::{SessionOptions, time_span};

/// Keeps the sessions of an MCP server in any language, so that any replica of this gateway can serve them.
///
/// Clients connect to /mcp here; the server behind it stays as it is.
#[derive(Parser)]
#[command(version)]
pub struct Options {
    /// Address to listen on; port 0 picks a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8935")]
    pub listen: SocketAddr,

    /// MCP endpoint of the server behind this gateway: http://host[:port]/path. All replicas name the same one, or each its
    /// own: see --inner-sessions.
    #[arg(long, value_name = "URL")]
    pub upstream: String,

    /// Whether all replicas of this gateway name the same upstream, so that a client's session is one session there whichever
    /// replica it comes through, or each an upstream of its own. A shared session's id is kept in the store, sealed with the
    /// keys of --secret-file.
    #[arg(long, value_enum, default_value_t = Sharing::Shared)]
    pub inner_sessions: Sharing,

    /// How long the upstream may take to begin an answer [default: as long as it likes, since calls may be long].
    #[arg(long, value_name = "TIME", value_parser = time_span::within(Duration::from_millis(1), Duration::from_secs(24 * 3600)))]
    pub upstream_timeout: Option<Duration>,

    #[command(flatten)]
    pub sessions: SessionOptions,

    #[command(flatten)]
    pub monitor: MonitorOptions,

    #[command(flatten)]
    pub log: LogOptions,
}

/// See [`InnerSessions`].
#[derive(Clone, Copy, ValueEnum)]
pub enum Sharing {
    /// All replicas name the same upstream.
    Shared,
    /// Each replica has an upstream of its own.
    PerReplica,
}

impl From<Sharing> for InnerSessions {
    fn from(choice: Sharing) -> Self {
        match choice {
            Sharing::Shared => Self::Shared,
            Sharing::PerReplica => Self::PerReplica,
        }
    }
}
