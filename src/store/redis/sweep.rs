//! The sweep: one script finds who may be due, another judges them again and acts.
//!
//! A script may only touch keys it was given, and which sessions are due is not known before. So the first script names
//! candidates from the indexes, and the second gets their keys and decides for each, atomically, by what it is then: of
//! several sweepers one does it and reports it. If Redis fails half-way, what was done is still reported.

use super::RedisStore;
use super::pool::Lease;
use super::scripts::{self, Call, span};
use crate::id::SessionKey;
use crate::session::EndReason;
use crate::store::{Lifetimes, StoreError, StoreErrorKind, Swept};
use crate::telemetry::text::escaped;

/// Sessions that one call of the script judges; it runs for about a millisecond then.
const JUDGED_AT_ONCE: usize = 50;

/// What sessions may be due for: they are idle, expired, too old, unconfirmed.
const INDEXES: usize = 4;

pub(super) async fn sweep(store: &RedisStore, lifetimes: &Lifetimes, limit: usize) -> Result<Swept, StoreError> {
    let mut lease = store.lease().await?;
    let limit = limit.div_ceil(store.keys().shards().len()).max(1);
    let mut swept = Swept::default();
    for shard in store.keys().shards() {
        let mut round = Round { store, shard, lifetimes, limit, lease: &mut lease, swept: &mut swept };
        match round.run().await {
            Ok(()) => {}
            Err(error) if swept.disconnected.is_empty() && swept.ended.is_empty() => return Err(error),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                tracing::warn!(%error, cause = &*escaped(&cause), "a sweep was cut short");
                swept.more = true;
                break;
            }
        }
    }
    Ok(swept)
}

/// One shard's part of a sweep.
struct Round<'a, 'p> {
    store: &'a RedisStore,
    shard: u16,
    lifetimes: &'a Lifetimes,
    limit: usize,
    lease: &'a mut Lease<'p>,
    swept: &'a mut Swept,
}

impl Round<'_, '_> {
    /// Sessions of a newer format stay due for ever, as far as this version can tell; they must not hide the others.
    async fn run(&mut self) -> Result<(), StoreError> {
        let mut skip = [0; INDEXES];
        loop {
            let due = self.due(skip).await?;
            let newer = self.judge(&due).await?;
            if newer.is_empty() {
                self.swept.more |= due.iter().any(|index| index.len() >= self.limit);
                return Ok(());
            }
            for (skip, index) in skip.iter_mut().zip(&due) {
                *skip += index.iter().filter(|key| newer.contains(key)).count();
            }
        }
    }

    /// As the scripts take it: -1 for none.
    fn max_lifetime(&self) -> String {
        self.lifetimes.max_lifetime.map_or_else(|| "-1".to_owned(), |max| span(max).to_string())
    }

    /// Who may be due.
    async fn due(&mut self, skip: [usize; INDEXES]) -> Result<[Vec<SessionKey>; INDEXES], StoreError> {
        let call = Call::new(&scripts::DUE, self.store.keys(), self.shard, &[])
            .number(span(self.lifetimes.idle_timeout))
            .number(span(self.lifetimes.expires_after))
            .owned(self.max_lifetime().into_bytes())
            .number(span(self.lifetimes.handshake_timeout))
            .number(self.limit as u64);
        let call = skip.iter().fold(call, |call, skip| call.number(*skip as u64));
        let [idle, expired, too_old, unconfirmed]: [Vec<String>; INDEXES] = self.lease.ask(&call).await?;
        Ok([keys(&idle)?, keys(&expired)?, keys(&too_old)?, keys(&unconfirmed)?])
    }

    /// Does what is due, and returns the sessions that a newer version wrote.
    async fn judge(&mut self, due: &[Vec<SessionKey>; INDEXES]) -> Result<Vec<SessionKey>, StoreError> {
        let mut candidates = due.concat();
        candidates.sort_unstable();
        candidates.dedup();
        let mut newer = Vec::new();
        for some in candidates.chunks(JUDGED_AT_ONCE) {
            let verdicts = self.judge_some(some).await?;
            for (key, letter) in some.iter().zip(&verdicts).flat_map(|(key, word)| word.chars().map(move |c| (*key, c)))
            {
                match letter {
                    'd' => self.swept.disconnected.push(key),
                    'e' => self.swept.ended.push((key, EndReason::Expired)),
                    'm' => self.swept.ended.push((key, EndReason::MaxLifetime)),
                    'b' => self.swept.ended.push((key, EndReason::Abandoned)),
                    _ => newer.push(key),
                }
            }
        }
        Ok(newer)
    }

    async fn judge_some(&mut self, sessions: &[SessionKey]) -> Result<Vec<String>, StoreError> {
        let call = Call::new(&scripts::SWEEP, self.store.keys(), self.shard, sessions)
            .number(span(self.lifetimes.key_ttl()))
            .number(span(self.lifetimes.idle_timeout))
            .number(span(self.lifetimes.expires_after))
            .owned(self.max_lifetime().into_bytes())
            .number(span(self.lifetimes.handshake_timeout));
        let call = sessions.iter().fold(call, |call, key| call.arg(key.as_str()));
        self.lease.ask(&call).await
    }
}

fn keys(members: &[String]) -> Result<Vec<SessionKey>, StoreError> {
    let parse = |member: &String| {
        SessionKey::parse(member).ok_or_else(|| StoreError::new(StoreErrorKind::Corrupt, "an index names no session"))
    };
    members.iter().map(parse).collect()
}
