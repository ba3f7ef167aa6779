//! The scenarios: each makes clients do something, and says which criteria the server met.

mod churn;
mod concurrent;
mod feed;
mod heartbeat;
mod lifecycle;
mod reconnect;
mod round_robin;
mod soak;
mod stage;
mod stale;
mod streams;
mod timeline;
mod timeout;
mod tokens;

use async_trait::async_trait;

pub use self::stage::{Server, Stage};
use crate::criteria::Criterion;
use crate::simulate::Simulate;

#[async_trait(?Send)]
pub trait Scenario {
    fn name(&self) -> &'static str;

    /// What it shows, in a few words.
    fn about(&self) -> &'static str;

    /// Whether it mostly waits: those that do, wait together.
    fn waits(&self) -> bool {
        false
    }

    /// Whether it goes on until Ctrl-C: then it says nothing of the server, and its end is no interruption.
    fn is_endless(&self) -> bool {
        false
    }

    async fn play(&self, stage: &Stage) -> Vec<Criterion>;
}

/// What `all` is, in the order it is played.
fn usual() -> Vec<Box<dyn Scenario>> {
    vec![
        Box::new(lifecycle::Lifecycle),
        Box::new(concurrent::Concurrent),
        Box::new(round_robin::RoundRobin),
        Box::new(streams::Streams),
        Box::new(reconnect::Reconnect),
        Box::new(stale::Stale),
        Box::new(heartbeat::Heartbeat),
        Box::new(feed::Feed),
    ]
}

/// The scenarios of these names.
///
/// # Errors
///
/// If there is none by a name.
pub fn chosen(names: &[String]) -> Result<Vec<Box<dyn Scenario>>, String> {
    let mut found: Vec<Box<dyn Scenario>> = Vec::new();
    for name in names.iter().flat_map(|names| names.split(',')) {
        let mut named = usual();
        if name != "all" {
            named.extend([Box::new(churn::Churn) as Box<dyn Scenario>, Box::new(soak::Soak), Box::new(Simulate)]);
            named.retain(|scenario| scenario.name() == name);
        }
        if named.is_empty() {
            return Err(format!("there is no scenario {name:?}; --help lists them"));
        }
        named.retain(|scenario| found.iter().all(|other| other.name() != scenario.name()));
        found.extend(named);
    }
    Ok(found)
}
