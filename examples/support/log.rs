//! The log: on stderr, as `RUST_LOG` says, in a form that fits whoever reads it.

use std::io::{IsTerminal, stderr};

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

/// Flags that say how the log looks.
#[derive(Args)]
pub struct LogOptions {
    /// How the log on stderr is written: lines for people, in colours if they read them in a terminal, or a JSON object a line for
    /// programs. `RUST_LOG` says what is logged [default: info].
    #[arg(long, value_enum, value_name = "text|json", default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}

impl LogOptions {
    /// Logs from now on.
    pub fn begin(&self) {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
        match self.log_format {
            LogFormat::Text => log.with_ansi(takes_colours()).init(),
            LogFormat::Json => log.json().flatten_event(true).init(),
        }
    }
}

/// A file shows colours as noise; <https://no-color.org> is for people who want none.
fn takes_colours() -> bool {
    stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
