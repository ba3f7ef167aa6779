//! *May this client have its session back?* A token is judged, then the session changes hands: one compare-and-set in the
//! store decides who was first.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use serde::Serialize;

use crate::engine::Engine;
use crate::engine::attempt::Attempt;
use crate::engine::limit::Counted;
use crate::engine::open::renewed_id;
use crate::engine::verdict::Admission;
use crate::engine::watch::FillGuard;
use crate::id::{NonceDigest, SessionId, SessionKey};
use crate::inner::InnerSession;
use crate::outcome::ReconnectOutcome;
use crate::reconnect::ReconnectKeys;
use crate::reconnect::asked::Presented;
use crate::reconnect::token::{Grant, ReconnectToken};
use crate::rejection::Rejection;
use crate::session::{SessionOrigin, SessionRecord, SessionStatus};
use crate::store::{Reconnected, Reconnection, SealedInner};
use crate::telemetry::metrics;
use crate::telemetry::text::escaped;

/// The session that an attempt is about, beside what its token says.
pub(crate) enum Named {
    /// Whichever the token is for.
    Whichever,
    /// This one.
    This(SessionKey),
    /// Something that names no session.
    Unreadable,
}

/// A good token, and its session as it was found.
pub(crate) struct Proven {
    token: ReconnectToken,
    record: SessionRecord,
    generation: u32,
}

/// A session in new hands.
pub(crate) struct HandedOver {
    pub(crate) id: SessionId,
    pub(crate) record: Arc<SessionRecord>,
    /// The last letter of its inbox.
    pub(crate) inbox: u64,
    /// Its inner session, and the one that this took the place of, where all replicas share one.
    pub(crate) inner: Option<SealedInner>,
    pub(crate) replaced: Option<SealedInner>,
    guard: FillGuard,
}

/// What a client is told that got its session back.
#[derive(Serialize)]
pub(crate) struct Renewed {
    success: bool,
    outcome: ReconnectOutcome,
    /// The session's public name.
    session_id: String,
    /// The secret to send as `Mcp-Session-Id`.
    mcp_session_id: String,
    reconnect_token: Option<String>,
    reconnect_count: u32,
}

fn refused(outcome: ReconnectOutcome) -> Rejection {
    Rejection::ReconnectRefused(outcome)
}

impl Engine {
    /// Reconnects a session that keeps its handshake.
    pub(crate) async fn reconnect(
        self: &Arc<Self>,
        mut attempt: Attempt,
        presented: Presented,
        named: &Named,
        nonce: Option<NonceDigest>,
    ) -> Result<Renewed, Rejection> {
        let outcome = match self.prove(&mut attempt, presented, named, nonce.is_some()).await {
            Ok(proven) => {
                let origin =
                    SessionOrigin { replica: Arc::clone(&self.config.replica), ..proven.record.origin.clone() };
                self.hand_over(&proven, origin, None, nonce).await
            }
            Err(rejection) => Err(rejection),
        };
        let handed = attempt.conclude(outcome)?;
        let token = self.mint(&handed.record).await;
        Ok(Renewed {
            success: true,
            outcome: ReconnectOutcome::Reconnected,
            session_id: handed.record.key.to_string(),
            mcp_session_id: handed.id.expose(),
            reconnect_token: token.map(|token| token.expose().to_owned()),
            reconnect_count: handed.record.generation,
        })
    }

    /// Judges a token. Changes nothing but what is counted.
    pub(crate) async fn prove(
        &self,
        attempt: &mut Attempt,
        presented: Presented,
        named: &Named,
        may_retry: bool,
    ) -> Result<Proven, Rejection> {
        let keys = self.config.reconnect.as_ref().ok_or_else(|| refused(ReconnectOutcome::InvalidToken))?;
        let limits = &self.config.limits;
        let address = attempt.address();
        let told = self.permit_address(Counted::ReconnectsOfAddress, address, limits.reconnects_per_address).await?;
        let Presented::Token(token) = presented else { return Err(refused(ReconnectOutcome::InvalidToken)) };
        let now = match told {
            Some(now) => now,
            None => self.ask_the_time().await.map_err(|error| self.store_away("time", &error))?,
        };
        let claims = keys.verify(&token, now).map_err(refused)?;
        attempt.concerns(&claims);
        let principal = attempt.principal.as_ref();
        let session = claims.session.as_str();
        self.permit(Counted::ReconnectsOfSession, session, limits.reconnects_per_session).await?;
        self.permit_principal(Counted::ReconnectsOfPrincipal, principal, limits.reconnects_per_principal).await?;
        match named {
            Named::Whichever => {}
            Named::This(key) if *key == claims.session => {}
            Named::This(_) | Named::Unreadable => return Err(refused(ReconnectOutcome::SessionIdMismatch)),
        }
        let found = self.store.find(&claims.session).await;
        let found = found.map_err(|error| self.store_failed("find", &claims.session, &error))?;
        let own = |record: &SessionRecord| record.origin.principal.as_ref() == principal && claims.is_for(principal);
        let record = found.filter(own).ok_or_else(|| refused(ReconnectOutcome::SessionNotFound))?;
        let is_retry = may_retry && record.generation == claims.generation.wrapping_add(1);
        if record.generation != claims.generation && !is_retry {
            return Err(refused(ReconnectOutcome::TokenMismatch));
        }
        Ok(Proven { token, record, generation: claims.generation })
    }

    /// Gives the session to the bearer of a good token, unless somebody was first.
    pub(crate) async fn hand_over(
        &self,
        proven: &Proven,
        origin: SessionOrigin,
        handshake: Option<(Bytes, &InnerSession)>,
        nonce: Option<NonceDigest>,
    ) -> Result<HandedOver, Rejection> {
        let (key, before) = (proven.record.key, Arc::clone(&proven.record.origin.replica));
        let id = self.id_for(proven, nonce.as_ref())?;
        let (generation, digest) = (proven.generation, id.digest());
        let (handshake, inner) = handshake.unzip();
        let inner = inner.and_then(|inner| self.sealed_inner(&key, inner));
        let change = Reconnection { key, generation, digest, origin, handshake, inner, nonce };
        let guard = self.watch.guard(&key);
        let answer = self.store.reconnect(&change, &self.config.lifetimes).await;
        match answer.map_err(|error| self.store_failed("reconnect", &key, &error))? {
            Reconnected::Done { generation, created_at, gap, inbox, again, now: _, inner, replaced } => {
                self.supersede(&key, generation);
                if !again {
                    metrics::session_reconnected("token");
                }
                let to = &self.config.replica;
                tracing::info!(
                    session = %key, how = "token", gap_ms = gap.as_millis(), from = &*escaped(&before), to = &*escaped(to),
                    reconnect_count = generation, again, "session_reconnected"
                );
                let status = SessionStatus::Active;
                let Reconnection { digest, origin, .. } = change;
                let record = SessionRecord { key, digest, generation, status, created_at, origin };
                Ok(HandedOver { id, record: Arc::new(record), inbox, inner, replaced, guard })
            }
            Reconnected::Superseded => Err(refused(ReconnectOutcome::TokenMismatch)),
            Reconnected::Gone => Err(refused(ReconnectOutcome::SessionNotFound)),
        }
    }

    /// The session's id from now on: one for all attempts with this nonce, or else a random one.
    fn id_for(&self, proven: &Proven, nonce: Option<&NonceDigest>) -> Result<SessionId, Rejection> {
        let key = &proven.record.key;
        let Some((keys, nonce)) = self.config.reconnect.as_ref().zip(nonce) else { return renewed_id(key) };
        let id = keys.renewed_id(key, &proven.token, nonce).map_err(|error| {
            tracing::error!(session = %key, %error, "no id for the session");
            Rejection::StoreUnavailable
        })?;
        id.ok_or_else(|| refused(ReconnectOutcome::InvalidToken))
    }

    /// Takes a session in that has just changed hands here.
    pub(crate) fn take_over(&self, handed: HandedOver) -> Result<Admission, Rejection> {
        self.settle(handed.guard, handed.record)
    }

    /// A reconnect token for the holder of a session. There is none if the store does not tell the time: better no token
    /// than a wrong one.
    pub(crate) async fn mint(&self, record: &SessionRecord) -> Option<ReconnectToken> {
        let keys = self.config.reconnect.as_ref()?;
        let now = self.now().await;
        let now = now.inspect_err(|error| tracing::warn!(session = %record.key, %error, "no reconnect token: the store does not tell the time")).ok()?;
        let grant =
            Grant { session: record.key, generation: record.generation, principal: record.origin.principal.as_ref() };
        let minted = keys.mint(&grant, now);
        minted.inspect_err(|error| tracing::error!(session = %record.key, %error, "no reconnect token")).ok()
    }

    /// Whether the client should get a token with this answer: it has none of this replica's, or that is past half its life.
    pub(crate) fn is_token_due(&self, admission: &Admission) -> bool {
        self.token_ttl().is_some_and(|ttl| admission.lease.token_is_due(ttl / 2))
    }

    /// A token to hand out with an answer.
    pub(crate) async fn give_token(&self, admission: &Admission) -> Option<HeaderValue> {
        let token = self.mint(&admission.record).await?;
        admission.lease.note_token();
        Some(token.header_value())
    }

    /// How long a token lives; `None` if none are given.
    pub(crate) fn token_ttl(&self) -> Option<Duration> {
        self.config.reconnect.as_ref().map(ReconnectKeys::ttl)
    }
}
