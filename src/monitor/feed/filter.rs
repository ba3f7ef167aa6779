//! What a viewer wants to see.

use serde::Deserialize;

use super::update::Told;
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
}

impl Filter {
    /// As it stands in a query.
    pub(crate) fn of(query: &Query) -> Result<Self, Refusal> {
        Ok(Self {
            client: query.get("client").map(ToOwned::to_owned),
            q: query.get("q").map(ToOwned::to_owned),
            status: query.word("status", "status is active or disconnected")?,
            types: query.get("types").map(|types| types.split(',').map(ToOwned::to_owned).collect()),
        })
    }

    /// Whether it lets everything through.
    pub(crate) const fn is_open(&self) -> bool {
        self.client.is_none() && self.q.is_none() && self.status.is_none() && self.types.is_none()
    }

    pub(crate) fn wants(&self, told: &Told, in_snapshot: bool) -> bool {
        let session = told.session();
        let client = self.client.as_ref().is_none_or(|name| session.is_some_and(|s| s.origin.client.name == *name));
        let status = !in_snapshot || self.status.is_none_or(|status| session.is_some_and(|s| s.status == status));
        let text = self.q.as_ref().is_none_or(|text| session.is_some_and(|session| session.mentions(text)));
        let kind = in_snapshot || self.types.as_ref().is_none_or(|types| types.iter().any(|name| name == told.name()));
        client && status && text && kind
    }
}
