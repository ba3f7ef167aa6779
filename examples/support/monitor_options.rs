//! What the command line says about the monitor: who may look, and who may act.

use std::path::{Path, PathBuf};

use clap::Args;
use tower_mcp_sessions::SessionLayer;
use tower_mcp_sessions::monitor::{Access, Monitor, OneTimeCode, Role};

/// Flags that make a monitor.
#[derive(Args)]
pub struct MonitorOptions {
    /// Let operators end sessions and give out reconnect tokens: whoever opens the link that is made at the start, and whoever has
    /// the monitor's token. Without it the monitor is read-only.
    #[arg(long)]
    allow_terminate: bool,

    /// Let in from anywhere who sends the token in this file (`Authorization: Bearer`), for scripts. Without it only the link that
    /// is made at the start shows sessions; this machine sees counts. `openssl rand -hex 32` makes a token.
    #[arg(long, value_name = "FILE")]
    monitor_token_file: Option<PathBuf>,
}

impl MonitorOptions {
    /// The monitor of a layer, which the code lets into.
    pub fn monitor(&self, sessions: &SessionLayer, code: &OneTimeCode) -> Result<Monitor, String> {
        let role = if self.allow_terminate { Role::Admin } else { Role::View };
        let mut access = Access::local_view().or(Access::code(code, role));
        if let Some(file) = &self.monitor_token_file {
            access = access.or(Access::bearer(token_in(file)?, role));
        }
        Ok(sessions.monitor().access(access).allow_terminate(self.allow_terminate).build())
    }
}

/// Shortest token: what a person makes up is shorter.
const SHORTEST: usize = 16;

fn token_in(file: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| format!("cannot read --monitor-token-file {}: {error}", file.display()))?;
    let token = text.trim();
    let is_one_word = token.len() >= SHORTEST && token.bytes().all(|byte| byte.is_ascii_graphic());
    is_one_word.then(|| token.to_owned()).ok_or_else(|| {
        format!(
            "--monitor-token-file {} must hold one token of at least {SHORTEST} visible characters; \
             `openssl rand -hex 32` makes one",
            file.display()
        )
    })
}
