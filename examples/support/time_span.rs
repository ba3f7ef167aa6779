//! Spans of time on the command line, each within what makes sense.

use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Reads spans such as `15m` that are no shorter and no longer than this.
pub fn within(shortest: Duration, longest: Duration) -> impl Fn(&str) -> Result<Duration, String> + Clone {
    move |text| {
        let span = humantime::parse_duration(text).map_err(|error| error.to_string())?;
        let written = |span| humantime::format_duration(span).to_string().replace(' ', "");
        let (from, to) = (written(shortest), written(longest));
        if (shortest..=longest).contains(&span) { Ok(span) } else { Err(format!("must be {from} to {to}")) }
    }
}

/// How long something may take to answer.
pub fn patience() -> impl Fn(&str) -> Result<Duration, String> + Clone {
    within(Duration::from_millis(1), Duration::from_secs(60))
}

/// How long a session may go unused.
pub fn lifetime() -> impl Fn(&str) -> Result<Duration, String> + Clone {
    within(Duration::from_secs(1), 3650 * DAY)
}

/// How long a reconnect token may be good.
pub fn token_ttl() -> impl Fn(&str) -> Result<Duration, String> + Clone {
    within(Duration::from_secs(1), 30 * DAY)
}
