//! What an operator does, or tries to: told exactly once for each attempt, with what came of it, as a `tracing` event with the
//! target `tower_mcp_sessions::audit`.

use http::request::Parts;

use super::access::Role;
use super::answer::Refusal;
use crate::engine::Engine;
use crate::id::SessionKey;
use crate::telemetry::text::escaped;

/// An operator's attempt to act on a session.
pub(crate) struct Deed<'a> {
    pub(crate) action: &'static str,
    pub(crate) session: SessionKey,
    pub(crate) role: Option<Role>,
    pub(crate) engine: &'a Engine,
    pub(crate) parts: &'a Parts,
}

impl Deed<'_> {
    /// Tells what came of it.
    pub(crate) fn conclude<T>(self, outcome: Result<T, Refusal>) -> Result<T, Refusal> {
        let Self { action, session, role, engine, parts } = self;
        let status = outcome.as_ref().map_or_else(|refusal| refusal.status().as_u16(), |_| 200);
        let told = match status {
            200 => "done",
            403 => "refused",
            404 => "no_such_session",
            _ => "unavailable",
        };
        let principal = engine.config.principal_of(parts).and_then(|principal| engine.config.label_of(&principal));
        tracing::info!(
            target: "tower_mcp_sessions::audit",
            action, outcome = told, %session, ?role,
            address = engine.config.address_of(parts).map(tracing::field::display),
            principal = principal.as_deref().map(escaped).as_deref(),
            replica = &*escaped(&engine.config.replica),
            "operator_attempt"
        );
        outcome
    }
}
