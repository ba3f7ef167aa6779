//! Official clients, unchanged, find everything working behind the layer.
//!
//! What each of them tries is in `clients/`; for the Rust client, in `sdk/rust.rs`.

mod python;
pub(crate) mod rounds;
mod rust;
mod typescript;

use serde_json::{Value, json};

use crate::harness::process::Process;
use crate::harness::redis::RedisServer;

/// An example server to try.
struct Subject {
    server: Process,
    /// Whether its inner service keeps sessions. One that keeps none cannot ask a client of the legacy era anything.
    stateful: bool,
    _redis: Option<RedisServer>,
}

impl Subject {
    /// One of each kind: sessions in memory and in Redis, an inner service with sessions of its own and without.
    async fn all() -> Vec<Self> {
        let mut subjects = Vec::new();
        for stateful in [true, false] {
            for redis in [None, Some(RedisServer::start())] {
                subjects.push(Self::start(stateful, redis).await);
            }
        }
        subjects
    }

    async fn start(stateful: bool, redis: Option<RedisServer>) -> Self {
        let url = redis.as_ref().map(RedisServer::url);
        let mut arguments = Vec::new();
        arguments.extend((!stateful).then_some("--stateless"));
        arguments.extend(url.as_deref().into_iter().flat_map(|url| ["--redis", url]));
        Self { server: Process::server(&arguments).await, stateful, _redis: redis }
    }

    /// What a driver has to know.
    fn options(&self, era: &str) -> Value {
        let ask = if self.stateful || era != "legacy" { "answer" } else { "error" };
        json!({"era": era, "ask": ask, "timeoutMs": 60_000, "callTimeoutMs": 20_000})
    }
}
