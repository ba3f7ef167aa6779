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
    /// Does it, if the principal hook lets whoever tries in, and tells what came of it.
    pub(crate) async fn conclude<T>(self, act: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
        let Self { action, session, role, engine, parts } = self;
        let (principal, outcome) = match engine.config.principal_if_any(parts) {
            Ok(principal) => (principal, act.await),
            Err(refusal) => (None, Err(refusal.into())),
        };
        let status = outcome.as_ref().map_or_else(|refusal| refusal.status().as_u16(), |_| 200);
        let told = match status {
            200 => "done",
            404 => "no_such_session",
            400..=499 => "refused",
            _ => "unavailable",
        };
        let principal = principal.and_then(|principal| engine.config.label_of(&principal));
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
