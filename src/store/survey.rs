//! [`Survey`]: the sessions as a whole, for whoever looks after them.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::event::SessionView;
use crate::id::SessionKey;
use crate::session::{ClientInfo, SessionStatus, Timestamp};

/// Looks at all sessions together. None of it stands in a request's way.
#[async_trait]
pub trait Survey: Send + Sync + 'static {
    /// Counts the sessions, and what happened in the last 24 hours. Costs the same for a thousand sessions and for a million.
    async fn vitals(&self, ages: &AgeLimits) -> Result<Vitals, StoreError>;

    /// A session as it is, or `None` if it does not live.
    async fn view(&self, key: &SessionKey) -> Result<Option<SessionView>, StoreError>;

    /// Sessions of a status (or of both), the last seen first, from a place on; at most `max`, and fewer only at the end. Every
    /// session that lives all the while and is not seen meanwhile is found once.
    async fn page(
        &self,
        status: Option<SessionStatus>,
        from: Option<&Place>,
        max: usize,
    ) -> Result<Vec<SessionView>, StoreError>;

    /// Counts requests that a client made by a revision without sessions.
    async fn count_modern(&self, client: &ClientInfo, requests: u64) -> Result<(), StoreError>;
}

/// A session's place among all, the last seen first: pages go on after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// When the session was last seen.
    pub last_seen: Timestamp,
    /// The session.
    pub key: SessionKey,
}

/// When a session counts as what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgeLimits {
    /// Idle for less: healthy.
    pub healthy: Duration,
    /// Idle for longer: stale; between the two: aging.
    pub stale: Duration,
}

/// By how long a session was idle.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Age {
    Healthy,
    Aging,
    Stale,
}

impl AgeLimits {
    /// What a session counts as that was idle for so long.
    pub(crate) fn age(&self, idle: Duration) -> Age {
        match idle {
            idle if idle < self.healthy => Age::Healthy,
            idle if idle > self.stale => Age::Stale,
            _ => Age::Aging,
        }
    }
}

impl Default for AgeLimits {
    /// 5 and 10 minutes.
    fn default() -> Self {
        Self { healthy: Duration::from_secs(300), stale: Duration::from_secs(600) }
    }
}

/// What came of [`Survey::vitals`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// The store's clock.
    pub now: Timestamp,
    /// Sessions in use.
    pub active: u64,
    /// Sessions idle for too long.
    pub disconnected: u64,
    /// Sessions of both kinds by how long they were idle.
    pub ages: Ages,
    /// The sum over all live sessions of the time from opening to the last activity.
    pub lived: Duration,
    /// The last 24 hours, five minutes each, the oldest first; 288 of them.
    pub history: Vec<Bucket>,
    /// Who they are; those with the most sessions first, then those with the most requests. Rare ones may be left out.
    pub clients: Vec<ClientUse>,
}

/// A version of a client, and what it needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientUse {
    /// What it calls itself.
    pub client: ClientInfo,
    /// Its live sessions.
    pub sessions: u64,
    /// Its requests of the revisions without sessions, in this hour and the 23 before it.
    pub modern: u64,
}

impl ClientUse {
    /// Clients told of, by sessions and by requests.
    pub(crate) const MOST: usize = 50;

    /// By what was counted in each kind.
    pub(crate) fn ranked(sessions: HashMap<ClientInfo, u64>, modern: HashMap<ClientInfo, u64>) -> Vec<Self> {
        let mut uses: HashMap<ClientInfo, (u64, u64)> = HashMap::new();
        most(sessions).for_each(|(client, count)| uses.entry(client).or_default().0 = count);
        most(modern).for_each(|(client, count)| uses.entry(client).or_default().1 = count);
        let mut uses: Vec<_> =
            uses.into_iter().map(|(client, (sessions, modern))| Self { client, sessions, modern }).collect();
        uses.sort_unstable_by(|a, b| (b.sessions, b.modern, &a.client).cmp(&(a.sessions, a.modern, &b.client)));
        uses
    }
}

fn most(counts: HashMap<ClientInfo, u64>) -> impl Iterator<Item = (ClientInfo, u64)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_unstable_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
    counts.into_iter().take(ClientUse::MOST)
}

/// Sessions by how long they were idle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ages {
    /// Seen lately.
    pub healthy: u64,
    /// Not for a while.
    pub aging: u64,
    /// Not for long.
    pub stale: u64,
}

/// What happened within five minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Sessions opened.
    pub opened: u64,
    /// Sessions that became disconnected.
    pub disconnected: u64,
    /// Sessions whose clients came back.
    pub reconnected: u64,
    /// Sessions that ended, and
    pub ended: u64,
    /// of them, those that were active.
    pub ended_active: u64,
    /// The time from opening to the last activity of those that ended, in milliseconds.
    pub lived_ms: u64,
    /// Reconnects that were refused.
    pub refused: u64,
    /// Requests of the revisions without sessions.
    pub modern: u64,
}

impl Bucket {
    /// How long one lasts.
    pub const SPAN: Duration = Duration::from_secs(300);
    /// How many make up a day.
    pub const A_DAY: usize = 288;
}
