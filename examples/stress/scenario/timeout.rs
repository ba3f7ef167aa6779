//! The server's idle timeout, as this program was told.

use std::time::Duration;

/// Looking takes its time too; judged is what the store's clock says.
pub const SLACK: Duration = Duration::from_secs(3);

/// When an idle session must be marked disconnected: a fifth of the timeout after it.
pub fn past_the_timeout(idle: Duration) -> Duration {
    idle + idle / 5
}

/// What may be wrong if it is not.
pub fn other_timeout(idle: Duration) -> String {
    let flag = humantime::format_duration(Duration::from_millis(idle.as_millis() as u64)).to_string().replace(' ', "");
    format!("was the server started with --idle-timeout {flag}? else tell this program with --idle-timeout")
}
