//! What a viewer wants to see.

use std::sync::Arc;

use serde::Deserialize;

use super::update::{Mode, Told, Update};
use crate::monitor::access::Role;
use crate::monitor::answer::Refusal;
use crate::monitor::query::Query;
use crate::session::SessionStatus;

/// Which events a viewer gets; cursors and counts it always gets.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Filter {
    /// Sessions of clients of this name.
    client: Option<String>,
    /// Sessions whose key, client or replica holds this text, whatever its case.
    q: Option<String>,
    /// In snapshots, sessions of this status.
    status: Option<SessionStatus>,
    /// Events of these types.
    types: Option<Vec<String>>,
    /// It may see that something happens, and not to which session.
    #[serde(skip)]
    counts_only: bool,
}

impl Filter {
    /// As it stands in a query.
    pub(crate) fn of(query: &Query) -> Result<Self, Refusal> {
        Ok(Self {
            client: query.get("client").map(ToOwned::to_owned),
            q: query.get("q").map(ToOwned::to_owned),
            status: query.word("status", "status is active or disconnected")?,
            types: query.get("types").map(|types| types.split(',').map(ToOwned::to_owned).collect()),
            counts_only: false,
        })
    }

    /// The same for a viewer with this role.
    pub(crate) fn seen_by(self, role: Option<Role>) -> Self {
        Self { counts_only: role < Some(Role::View), ..self }
    }

    pub(crate) const fn shows_sessions(&self) -> bool {
        !self.counts_only
    }

    /// What of an update is for this viewer.
    pub(crate) fn apply(&self, update: &Arc<Update>) -> Arc<Update> {
        match (self.is_open(), update.events.is_empty()) {
            (true, _) | (false, true) => Arc::clone(update),
            (false, false) => Arc::new(update.with_events(self.wanted(update))),
        }
    }

    /// Its events. Sessions are taken off first: what somebody may not see is nothing to be sought by.
    fn wanted(&self, update: &Update) -> Vec<Told> {
        let seen = update.events.iter().filter_map(|told| match self.counts_only {
            true => told.without_session(),
            false => Some(told.clone()),
        });
        seen.filter(|told| self.wants(told, update.mode == Mode::Snapshot)).collect()
    }

    /// Whether it lets everything through.
    const fn is_open(&self) -> bool {
        !self.counts_only && self.client.is_none() && self.q.is_none() && self.status.is_none() && self.types.is_none()
    }

    fn wants(&self, told: &Told, in_snapshot: bool) -> bool {
        let session = told.session();
        let client = self.client.as_ref().is_none_or(|name| session.is_some_and(|s| s.origin.client.name == *name));
        let status = !in_snapshot || self.status.is_none_or(|status| session.is_some_and(|s| s.status == status));
        let text = self.q.as_ref().is_none_or(|text| session.is_some_and(|session| session.mentions(text)));
        let kind = in_snapshot || self.types.as_ref().is_none_or(|types| types.iter().any(|name| name == told.name()));
        client && status && text && kind
    }
}
