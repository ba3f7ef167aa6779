//! *Who tried to reconnect?* Every attempt is told exactly once, however it ends.

use std::sync::Arc;

use http::request::Parts;

use crate::audit::{ReconnectAttempt, ReconnectDoor};
use crate::engine::Engine;
use crate::engine::config::said;
use crate::outcome::ReconnectOutcome;
use crate::reconnect::token::Claims;
use crate::rejection::Rejection;
use crate::session::Principal;
use crate::store::Refusal;
use crate::telemetry::metrics;
use crate::telemetry::text::escaped;

/// An attempt under way. It is told of when it is dropped: unless it was concluded, that it could not be finished.
pub(crate) struct Attempt {
    engine: Arc<Engine>,
    pub(crate) principal: Option<Principal>,
    told: ReconnectAttempt,
}

impl Attempt {
    pub(crate) fn begin(
        engine: &Arc<Engine>,
        door: ReconnectDoor,
        principal: Option<Principal>,
        parts: &Parts,
    ) -> Self {
        let told = ReconnectAttempt {
            outcome: ReconnectOutcome::Unavailable,
            door,
            session: None,
            token: None,
            address: engine.config.address_of(parts),
            principal: principal.as_ref().and_then(|principal| engine.config.label_of(principal)),
            replica: Arc::clone(&engine.config.replica),
        };
        Self { engine: Arc::clone(engine), principal, told }
    }

    pub(crate) fn address(&self) -> Option<std::net::IpAddr> {
        self.told.address
    }

    /// The token is genuine, and this is what it says.
    pub(crate) fn concerns(&mut self, claims: &Claims) {
        self.told.session = Some(claims.session);
        self.told.token = Some(claims.id.as_str().into());
    }

    /// A refusal is an event that viewers see; a reconnect is recorded by the change itself.
    fn note_refusal(&self) {
        let ReconnectAttempt { outcome, door, session, .. } = self.told;
        if !matches!(outcome, ReconnectOutcome::Reconnected | ReconnectOutcome::Unavailable) {
            self.engine.note_refusal(Refusal { session, outcome, door });
        }
    }

    /// Ends it with what came of it.
    pub(crate) fn conclude<T>(mut self, outcome: Result<T, Rejection>) -> Result<T, Rejection> {
        self.told.outcome =
            outcome.as_ref().map_or_else(|rejection| outcome_of(*rejection), |_| ReconnectOutcome::Reconnected);
        outcome
    }
}

impl Drop for Attempt {
    /// The one place where it is told.
    fn drop(&mut self) {
        let ReconnectAttempt { outcome, door, session, token, address, principal, replica } = &self.told;
        metrics::reconnect_attempted(door.as_str(), *outcome);
        let (outcome, door) = (outcome.as_str(), door.as_str());
        let (session, address) = (session.map(tracing::field::display), address.map(tracing::field::display));
        tracing::info!(
            target: "tower_mcp_sessions::audit",
            outcome, door, session, token = token.as_deref().map(escaped).as_deref(), address,
            principal = principal.as_deref().map(escaped).as_deref(), replica = &*escaped(replica), "reconnect_attempt"
        );
        if let Some(hear) = &self.engine.config.on_reconnect {
            // A panic on the way of another one would end the process.
            let _ = said(|| hear(&self.told));
        }
        self.note_refusal();
    }
}

fn outcome_of(rejection: Rejection) -> ReconnectOutcome {
    match rejection {
        Rejection::ReconnectRefused(outcome) => outcome,
        Rejection::RateLimited { .. } => ReconnectOutcome::RateLimited,
        _ => ReconnectOutcome::Unavailable,
    }
}
