//! What happened to the sessions, and how often lately.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::event::{Change, SessionEvent, SessionView};
use crate::session::{ClientInfo, SessionStatus, Timestamp, millis};
use crate::store::{Bucket, ClientUse, EventHead, EventSlice};

/// Events kept.
const KEPT: usize = 10_000;

/// What happened, and how often lately.
#[derive(Default)]
pub(super) struct Chronicle {
    events: VecDeque<SessionEvent>,
    pub(super) last: u64,
    /// By number since the Unix epoch.
    pub(super) buckets: BTreeMap<u64, Bucket>,
    /// Requests of the revisions without sessions, by the hour since the Unix epoch and by client.
    modern: BTreeMap<u64, HashMap<ClientInfo, u64>>,
}

impl Chronicle {
    pub(super) fn slice(&self, head: EventHead, after: u64, max: usize) -> EventSlice {
        let lost = self.last - self.events.len() as u64;
        let later = self.events.iter().filter(|event| event.offset > after);
        EventSlice { head, gap: after < lost, events: later.take(max).cloned().collect() }
    }

    /// The bucket of a moment; those of yesterday go.
    pub(super) fn bucket(&mut self, at: Timestamp) -> &mut Bucket {
        let number = at.0 / millis(Bucket::SPAN);
        self.buckets = self.buckets.split_off(&number.saturating_sub(Bucket::A_DAY as u64));
        self.buckets.entry(number).or_default()
    }

    /// Counts requests of the revisions without sessions. Where too many clients would have to be told apart, new ones are not.
    pub(super) fn count_modern(&mut self, at: Timestamp, client: &ClientInfo, requests: u64) {
        self.bucket(at).modern += requests;
        let hour = hour(at);
        self.modern = self.modern.split_off(&hour.saturating_sub(23));
        let clients = self.modern.entry(hour).or_default();
        if clients.contains_key(client) || clients.len() < ClientUse::MOST {
            *clients.entry(client.clone()).or_default() += requests;
        }
    }

    /// How many requests of them each client made in this hour and the 23 before it.
    pub(super) fn modern_clients(&self, now: Timestamp) -> HashMap<ClientInfo, u64> {
        let mut sums: HashMap<_, u64> = HashMap::new();
        for (client, count) in self.modern.range(hour(now).saturating_sub(23)..).flat_map(|(_, clients)| clients) {
            *sums.entry(client.clone()).or_default() += count;
        }
        sums
    }

    /// Appends to the log, whose oldest event makes room, and counts it.
    pub(super) fn record(&mut self, at: Timestamp, change: Change, session: Option<SessionView>) -> SessionEvent {
        self.count(at, &change, session.as_ref());
        self.last += 1;
        let event = SessionEvent { offset: self.last, at, change, session };
        self.events.push_back(event.clone());
        if self.events.len() > KEPT {
            self.events.pop_front();
        }
        event
    }

    fn count(&mut self, at: Timestamp, change: &Change, session: Option<&SessionView>) {
        let bucket = self.bucket(at);
        match (change, session) {
            (Change::Created, _) => bucket.opened += 1,
            (Change::Disconnected, _) => bucket.disconnected += 1,
            (Change::Reconnected { .. }, _) => bucket.reconnected += 1,
            (Change::Adopted, _) => {}
            (Change::ReconnectRefused { .. }, _) => bucket.refused += 1,
            (Change::Terminated(_), session) => {
                bucket.ended += 1;
                if let Some(session) = session {
                    bucket.ended_active += u64::from(session.status == SessionStatus::Active);
                    bucket.lived_ms += millis(session.last_seen.since(session.created_at));
                }
            }
        }
    }
}

const fn hour(at: Timestamp) -> u64 {
    at.0 / 3_600_000
}
