//! What can be said on the command line.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use http::HeaderName;
use tower_mcp_sessions::OnReturn;

/// An MCP server whose sessions any replica can serve.
#[derive(Parser)]
#[command(version)]
pub struct Options {
    /// Address to listen on; port 0 picks a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8932")]
    pub listen: SocketAddr,

    /// Keep sessions in this Redis, shared by all replicas: redis://[user:password@]host[:port]/. Without it they live in
    /// this process's memory.
    #[arg(long, value_name = "URL", env = "REDIS_URL", hide_env_values = true)]
    pub redis: Option<String>,

    /// This replica's name in answers, records and logs [default: the address it listens on].
    #[arg(long, value_name = "NAME")]
    pub replica: Option<String>,

    /// How long a session may go unused before it is disconnected.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration)]
    pub idle_timeout: Duration,

    /// How long a session may go unused before it ends.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = humantime::parse_duration)]
    pub expires_after: Duration,

    /// What happens when the client of a disconnected session comes back.
    #[arg(long, value_enum, default_value_t = Return::Revive)]
    pub on_return: Return,

    /// Ask the store about every request, instead of trusting its word for up to a second.
    #[arg(long)]
    pub strict: bool,

    /// Run rmcp without sessions of its own.
    #[arg(long)]
    pub stateless: bool,

    /// Take the caller's identity from this header. Only behind a proxy that sets it: anybody can send a header.
    #[arg(long, value_name = "NAME")]
    pub principal_header: Option<HeaderName>,

    /// Answer requests to this host too, beside loopback names. May be repeated.
    #[arg(long, value_name = "HOST")]
    pub allow_host: Vec<String>,

    /// Accept browser requests from this origin too, beside loopback ones. May be repeated.
    #[arg(long, value_name = "ORIGIN")]
    pub allow_origin: Vec<String>,
}

impl Options {
    /// The replica's name, given or made.
    pub fn replica(&self, listening: SocketAddr) -> Arc<str> {
        self.replica.clone().unwrap_or_else(|| listening.to_string()).into()
    }
}

/// See [`OnReturn`].
#[derive(Clone, Copy, ValueEnum)]
pub enum Return {
    /// The session is active again.
    Revive,
    /// The session id answers 404.
    Reject,
}

impl From<Return> for OnReturn {
    fn from(choice: Return) -> Self {
        match choice {
            Return::Revive => Self::Revive,
            Return::Reject => Self::Reject,
        }
    }
}
