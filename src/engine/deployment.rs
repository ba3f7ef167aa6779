//! *Do all processes on this store belong together, and mean the same?* One that serves sessions says what it is when it starts
//! and every hour, and compares that with what was said before: its deployment's name, its server's, its keys, and the
//! lifetimes it gives to sessions. Only another deployment's name is a reason to refuse; everything else is worth a warning.

use std::error::Error;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::Engine;
use crate::protocol::introduction::Accepted;
use crate::store::{Believed, Fact, StoreError};
use crate::telemetry::text::escaped;

const EVERY: Duration = Duration::from_secs(60 * 60);
/// The deployment's name is said more often: a store that has lost its data must not be taken by another.
const NAME_EVERY: Duration = Duration::from_secs(10);
/// How long to wait before saying it again to a store that did not hear.
const PAUSE: Duration = Duration::from_secs(1);
/// What was said is remembered longer than the pause between two of our words, even where sessions are short-lived.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

const DEPLOYMENT: &str = "deployment";
const SERVER: &str = "server";
/// Before a key's id.
const KEY: &str = "key:";

/// Why a process must not serve the sessions in its store.
#[derive(Debug)]
pub struct StartError(Kind);

#[derive(Debug)]
enum Kind {
    Store(StoreError),
    OtherDeployment { own: Arc<str>, other: String },
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self(Kind::Store(error))
    }
}

impl StartError {
    /// The sessions in the store are those of a deployment with another name.
    #[must_use]
    pub fn is_other_deployment(&self) -> bool {
        matches!(self.0, Kind::OtherDeployment { .. })
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Store(error) => error.fmt(f),
            Kind::OtherDeployment { own, other } => write!(
                f,
                "this process is of the deployment {own:?}, and the sessions in its store are of {other:?}: give it the same name, or \
                 a store of its own (in one Redis, another prefix)"
            ),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Kind::Store(error) => error.source(),
            Kind::OtherDeployment { .. } => None,
        }
    }
}

pub(crate) async fn run(engine: Weak<Engine>) {
    let mut said_all_at: Option<Instant> = None;
    loop {
        let Some(strong) = engine.upgrade() else { return };
        let mut serving = strong.serving.subscribe();
        if !strong.serves() {
            drop(strong);
            // An error says that the engine is gone, which the next round finds.
            drop(serving.wait_for(|serves| *serves).await);
            continue;
        }
        let says_all = said_all_at.is_none_or(|before| before.elapsed() >= EVERY);
        let said = if says_all { strong.announce().await } else { strong.compare_deployments().await };
        drop(strong);
        match said {
            Ok(()) => {
                said_all_at = if says_all { Some(Instant::now()) } else { said_all_at };
                tokio::time::sleep(NAME_EVERY).await;
            }
            Err(error) if error.is_other_deployment() => {
                tracing::error!(%error, "no session is served: every request is answered 503");
                tokio::time::sleep(PAUSE * 60).await;
            }
            Err(error) => {
                tracing::debug!(%error, "the store did not hear what this process is; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

impl Engine {
    /// A service has been made that opens sessions.
    pub(crate) fn begin_serving(&self) {
        self.serving.send_if_modified(|serves| !std::mem::replace(serves, true));
    }

    /// Whether this process serves sessions, or only watches those of others.
    pub(crate) fn serves(&self) -> bool {
        *self.serving.borrow()
    }

    /// Whether the sessions in the store are another deployment's: none of them is served, and none opened.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.elsewhere.load(Ordering::Relaxed)
    }

    /// Says what this process is, and compares.
    pub(crate) async fn announce(&self) -> Result<(), StartError> {
        self.compare_deployments().await?;
        self.compare_servers_and_keys().await?;
        self.compare_lifetimes().await?;
        Ok(())
    }

    /// A process of another deployment says nothing else.
    async fn compare_deployments(&self) -> Result<(), StartError> {
        let Some(own) = &self.config.deployment else { return Ok(()) };
        let said = [fact(DEPLOYMENT, own, Believed::First)];
        let others = self.differing(&said).await?;
        let other = others.into_iter().next().map(|(_, other)| other);
        self.elsewhere.store(other.is_some(), Ordering::Relaxed);
        match other {
            Some(other) => Err(StartError(Kind::OtherDeployment { own: Arc::clone(own), other })),
            None => Ok(()),
        }
    }

    async fn compare_servers_and_keys(&self) -> Result<(), StoreError> {
        let server = self.server_name.get().map(|name| fact(SERVER, name, Believed::First));
        let facts: Vec<Fact> = server.into_iter().chain(self.key_facts()).collect();
        for (fact, other) in self.differing(&facts).await? {
            match fact.name.strip_prefix(KEY) {
                Some(kid) => tracing::warn!(
                    key = &*escaped(kid),
                    "another process signs reconnect tokens with another secret under this key's id: each refuses the other's tokens; \
                     give all replicas the same secret, and a new one an id of its own"
                ),
                None => self.warn_of_another_server(&fact.value, &other),
            }
        }
        Ok(())
    }

    /// Says facts; returns those of which something else had been said, with what that was.
    async fn differing<'a>(&self, facts: &'a [Fact]) -> Result<Vec<(&'a Fact, String)>, StoreError> {
        let told = self.store.declare(facts, self.remembered()).await?;
        let differs = |(fact, told): (&'a Fact, Option<String>)| Some((fact, told.filter(|told| *told != fact.value)?));
        Ok(facts.iter().zip(told).filter_map(differs).collect())
    }

    async fn compare_lifetimes(&self) -> Result<(), StoreError> {
        let own = self.config.lifetimes;
        let before = self.store.announce_lifetimes(&own).await?;
        let differences = before.map(|before| own.differences(&before)).unwrap_or_default();
        if !differences.is_empty() {
            tracing::warn!(
                differences = differences.join(", "),
                "another process on this store gives its sessions other lifetimes; each session keeps those it was opened with, \
                 until a process applies its own to all of them (SessionLayer::apply_lifetimes, --apply-lifetimes)"
            );
        }
        Ok(())
    }

    /// The inner service has accepted an `initialize` and said its name. The first name said on a store is kept.
    pub(crate) fn note_server(&self, accepted: &Accepted) {
        if self.server_name.get().is_some() {
            return;
        }
        let name = accepted.server_name();
        if name.is_empty() || self.server_name.set(name.into()).is_err() {
            return;
        }
        let Some(engine) = self.itself.upgrade() else { return };
        tokio::spawn(async move {
            // If the store does not hear, it is said again with everything else.
            let said = [fact(SERVER, engine.server_name.get().map_or("", |name| name), Believed::First)];
            let others = engine.differing(&said).await.unwrap_or_default();
            others.iter().for_each(|(said, other)| engine.warn_of_another_server(&said.value, other));
        });
    }

    /// Once in a round, whichever of the two ways it was found out by; never where the deployment has a name, and that is meant.
    fn warn_of_another_server(&self, own: &str, other: &str) {
        if self.config.deployment.is_some() {
            return;
        }
        let mut warned = self.warned_of_server.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.is_some_and(|before| before.elapsed() < EVERY / 2) {
            return;
        }
        *warned = Some(Instant::now());
        tracing::warn!(
            own = &*escaped(own),
            other = &*escaped(other),
            "two MCP servers with different names keep their sessions in one store, and accept each other's; if that is not meant, \
             give each a store of its own (in one Redis, another prefix), and a name (SessionLayer::builder(…).deployment(…), --deployment)"
        );
    }

    fn remembered(&self) -> Duration {
        self.config.lifetimes.key_ttl().max(REMEMBERED)
    }

    /// By each configured key's id, what tells its secret from another without telling anything of it.
    #[cfg(feature = "reconnect")]
    fn key_facts(&self) -> impl Iterator<Item = Fact> {
        let keys = self.config.reconnect.iter().flat_map(crate::reconnect::ReconnectKeys::fingerprints);
        keys.map(|(kid, fingerprint)| fact(&format!("{KEY}{kid}"), &fingerprint, Believed::Last))
    }

    #[cfg(not(feature = "reconnect"))]
    fn key_facts(&self) -> impl Iterator<Item = Fact> {
        std::iter::empty()
    }
}

fn fact(name: &str, value: &str, believed: Believed) -> Fact {
    Fact { name: name.to_owned(), value: value.to_owned(), believed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SessionLayer;
    use crate::store::{Lifetimes, MemoryStore, SessionStore};

    #[tokio::test(start_paused = true)]
    async fn what_a_process_is_set_to_is_said_at_start_and_every_hour() {
        let store = MemoryStore::new();
        let own = Lifetimes { idle_timeout: Duration::from_secs(7), ..Lifetimes::default() };
        let sessions = SessionLayer::builder(store.clone()).idle_timeout(own.idle_timeout).build();
        sessions.start().await.expect("it is the only one");
        let after = async |span| {
            tokio::time::sleep(span).await;
            // Another process says something else, and hears what was said last.
            store.announce_lifetimes(&Lifetimes::default()).await.expect("memory answers")
        };
        assert_eq!(after(PAUSE).await, Some(own), "at start");
        assert_eq!(after(EVERY / 2).await, Some(Lifetimes::default()), "not all the time");
        assert_eq!(after(EVERY / 2 + NAME_EVERY).await, Some(own), "within the hour");
    }
}
