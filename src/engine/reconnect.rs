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
use crate::reconnect::asked::Presented;
use crate::reconnect::token::{Claims, Grant, ReconnectToken};
use crate::reconnect::{ReconnectKeys, TokenTime};
use crate::rejection::Rejection;
use crate::session::{Principal, SessionOrigin, SessionRecord, SessionStatus, Timestamp};
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

impl Named {
    fn may_be(&self, session: &SessionKey) -> bool {
        match self {
            Self::Whichever => true,
            Self::This(key) => key == session,
            Self::Unreadable => false,
        }
    }
}

/// A good token, and its session as it was found.
pub(crate) struct Proven {
    token: ReconnectToken,
    record: SessionRecord,
    generation: u32,
}

impl Proven {
    pub(crate) fn record(&self) -> &SessionRecord {
        &self.record
    }
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
            reconnect_count: handed.record.reconnect_count(),
        })
    }

    /// Judges a token. Changes nothing but what is counted.
    ///
    /// Every attempt counts against its address, before anything of the token is believed. Against the session count only those
    /// that may well get it: with its newest token, made by its own principal. Who has a spent, expired or foreign token thus
    /// keeps nobody else out. A retry's nonce is compared when the session changes hands: until then it is a spent token.
    pub(crate) async fn prove(
        &self,
        attempt: &mut Attempt,
        presented: Presented,
        named: &Named,
        may_retry: bool,
    ) -> Result<Proven, Rejection> {
        let keys = self.config.reconnect.as_ref().ok_or_else(|| refused(ReconnectOutcome::InvalidToken))?;
        let limits = &self.config.limits;
        let now = self.count_attempt(attempt).await?;
        let Presented::Token(token) = presented else { return Err(refused(ReconnectOutcome::InvalidToken)) };
        let claims = self.verify(keys, &token, now).await?;
        attempt.concerns(&claims);
        let principal = attempt.principal.as_ref();
        self.permit_principal(Counted::ReconnectsOfPrincipal, principal, limits.reconnects_per_principal).await?;
        if !named.may_be(&claims.session) {
            return Err(refused(ReconnectOutcome::SessionIdMismatch));
        }
        let (record, generation) = self.session_of(&claims, principal).await?;
        if record.generation == generation {
            let session = claims.session.as_str();
            self.permit(Counted::ReconnectsOfSession, session, limits.reconnects_per_session).await?;
        } else if !may_retry || record.generation != generation.wrapping_add(1) {
            return Err(refused(ReconnectOutcome::TokenMismatch));
        }
        Ok(Proven { token, record, generation })
    }

    /// Counts an attempt against its address. Returns the store's time.
    async fn count_attempt(&self, attempt: &Attempt) -> Result<Timestamp, Rejection> {
        let rate = self.config.limits.reconnects_per_address;
        match self.permit_address(Counted::ReconnectsOfAddress, attempt.address(), rate).await? {
            Some(now) => Ok(now),
            None => self.ask_the_time().await.map_err(|error| self.store_away("time", &error)),
        }
    }

    /// What a token says, if it is to be believed. One that seems to be from later than now is nevertheless, if its session was
    /// seen then: the store's clock has gone back, and this replica had not known it before.
    async fn verify(&self, keys: &ReconnectKeys, token: &ReconnectToken, now: Timestamp) -> Result<Claims, Rejection> {
        let time = TokenTime::new(now, self.clock.latest());
        let verdict = keys.verify(token, time);
        let Err(ReconnectOutcome::InvalidToken) = verdict else { return verdict.map_err(refused) };
        let Some(session) = keys.session_to_come(token, time) else { return verdict.map_err(refused) };
        let seen = self.store.view(&session).await;
        let seen = seen.map_err(|error| self.store_failed("view", &session, &error))?.map(|view| view.last_seen);
        keys.verify(token, TokenTime::new(now, seen.max(Some(time.latest)))).map_err(refused)
    }

    /// The session that a token is for, and the generation it is good for, if both are the principal's.
    async fn session_of(
        &self,
        claims: &Claims,
        principal: Option<&Principal>,
    ) -> Result<(SessionRecord, u32), Rejection> {
        let found = self.store.find(&claims.session).await;
        let found = found.map_err(|error| self.store_failed("find", &claims.session, &error))?;
        let own = found.and_then(|record| {
            let generation = claims.generation_for(principal, &record.origin)?;
            Some((record, generation))
        });
        own.ok_or_else(|| refused(ReconnectOutcome::SessionNotFound))
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
        // A retry shows the same token: another one of the same generation is another attempt.
        let nonce = nonce.map(|nonce| nonce.along_with(proven.token.expose().as_bytes()));
        let (generation, digest, lifetimes) = (proven.generation, id.digest(), proven.record.lifetimes);
        let (handshake, inner) = handshake.unzip();
        let inner = inner.and_then(|inner| self.sealed_inner(&key, inner));
        let change = Reconnection { key, generation, digest, origin, handshake, inner, nonce };
        let guard = self.watch.guard(&key);
        let answer = self.store.reconnect(&change).await;
        match answer.map_err(|error| self.store_failed("reconnect", &key, &error))? {
            Reconnected::Done { generation, created_at, gap, inbox, again, now: _, inner, replaced } => {
                self.supersede(&key, generation);
                if !again {
                    metrics::session_reconnected("token");
                }
                let to = &self.config.replica;
                tracing::info!(
                    session = %key, how = "token", gap_ms = gap.as_millis(), from = &*escaped(&before), to = &*escaped(to),
                    reconnect_count = change.origin.reconnects_until(generation), again, "session_reconnected"
                );
                let status = SessionStatus::Active;
                let Reconnection { digest, origin, .. } = change;
                let record = SessionRecord { key, digest, generation, status, created_at, lifetimes, origin };
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
        keys.renewed_id(key, &proven.token, nonce).ok_or_else(|| refused(ReconnectOutcome::InvalidToken))
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
