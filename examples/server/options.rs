//! What can be said on the command line.

use std::net::SocketAddr;

use clap::Parser;

use crate::log::LogOptions;
use crate::monitor_options::MonitorOptions;
use crate::session_options::SessionOptions;

/// An MCP server whose sessions any replica can serve.
#[derive(Parser)]
#[command(version)]
pub struct Options {
    /// Address to listen on; port 0 picks a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8932")]
    pub listen: SocketAddr,

    #[command(flatten)]
    pub sessions: SessionOptions,

    #[command(flatten)]
    pub monitor: MonitorOptions,

    #[command(flatten)]
    pub log: LogOptions,

    /// Run rmcp without sessions of its own.
    #[arg(long)]
    pub stateless: bool,
}
