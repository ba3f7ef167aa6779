//! Connecting to Redis, and what to tell the person in front of the terminal when that fails.

use std::time::Duration;

use tower_mcp_sessions::store::{RedisStore, StoreErrorKind};

use crate::serve::with_causes;

/// The store at `url`, or why there is none and what can be done. Neither tells the URL's password.
pub async fn connect(url: &str, patience: Duration) -> Result<RedisStore, String> {
    RedisStore::builder(url).response_timeout(patience).connect().await.map_err(|error| {
        let (what, advice) = match error.kind() {
            StoreErrorKind::Unavailable => {
                // What the error says itself is said here in the words of the command line.
                let why = std::error::Error::source(&error).map_or_else(|| error.to_string(), with_causes);
                (
                    format!("no Redis at {}: {why}", address(url)),
                    "start it with `redis-server`, or name another one with --redis",
                )
            }
            StoreErrorKind::Misconfigured => {
                (with_causes(&error), "--redis takes redis://[user:password@]host[:port]/[number]")
            }
            _ => (with_causes(&error), "--redis names another one"),
        };
        format!("{what}\n{advice}; without --redis, sessions live in this process's memory")
    })
}

/// Host and port of a URL: what of it is no secret.
fn address(url: &str) -> &str {
    let Some((_, rest)) = url.split_once("://") else { return "the given address" };
    let after_password = rest.rsplit('@').next().unwrap_or_default();
    after_password.split(['/', '?', '#']).next().unwrap_or_default()
}
