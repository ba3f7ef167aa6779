//! The sweep: one script finds who may be due, another judges them again and acts.
//!
//! A script may only touch keys it was given, and which sessions are due is not known before. So the first script names
//! candidates from the index, and the second gets their keys and decides for each, atomically, by what it is then: of
//! several sweepers one does it and reports it. If Redis fails half-way, what was done is still reported.

use std::time::Duration;

use deadpool_redis::redis;

use super::RedisStore;
use super::pool::Lease;
use super::scripts::{self, Call, span};
use crate::id::SessionKey;
use crate::session::EndReason;
use crate::store::{StoreError, StoreErrorKind, Swept};
use crate::telemetry::text::escaped;

/// Sessions that one call of the script judges; it runs for about a millisecond then.
const JUDGED_AT_ONCE: usize = 50;

pub(super) async fn sweep(store: &RedisStore, grace: Duration, limit: usize) -> Result<Swept, StoreError> {
    let mut lease = store.lease().await?;
    let limit = limit.div_ceil(store.keys().shards().len()).max(1);
    let mut swept = Swept::default();
    for shard in store.keys().shards() {
        let mut round = Round { store, shard, grace, limit, lease: &mut lease, swept: &mut swept };
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
    grace: Duration,
    limit: usize,
    lease: &'a mut Lease<'p>,
    swept: &'a mut Swept,
}

impl Round<'_, '_> {
    /// Sessions of a newer format stay due for ever, as far as this version can tell; they must not hide the others.
    async fn run(&mut self) -> Result<(), StoreError> {
        let mut skip = 0;
        loop {
            let due = self.due(skip).await?;
            let newer = self.judge(&due).await?;
            if newer == 0 {
                self.swept.more |= due.len() >= self.limit;
                return Ok(());
            }
            skip += newer;
        }
    }

    /// Who may be due.
    async fn due(&mut self, skip: usize) -> Result<Vec<SessionKey>, StoreError> {
        let call = Call::new(&scripts::DUE, self.store.keys(), self.shard, &[])
            .number(span(self.grace))
            .number(self.limit as u64)
            .number(skip as u64);
        let found: Vec<String> = self.lease.ask(&call).await?;
        let due: Vec<SessionKey> = found.iter().filter_map(|member| SessionKey::parse(member)).collect();
        if due.len() < found.len() {
            self.clear_away(&found).await?;
        }
        Ok(due)
    }

    /// What is no session's key, whoever put it into the index, must not keep sessions from being swept.
    async fn clear_away(&mut self, found: &[String]) -> Result<(), StoreError> {
        let strange: Vec<&String> = found.iter().filter(|member| SessionKey::parse(member).is_none()).collect();
        tracing::warn!(members = strange.len(), "the index of deadlines named what is no session; that was taken out");
        let mut remove = redis::cmd("ZREM");
        remove.arg(self.store.keys().due(self.shard)).arg(strange);
        self.lease.ask::<u64>(&remove).await.map(|_| ())
    }

    /// Does what is due, and returns how many sessions a newer version wrote.
    async fn judge(&mut self, due: &[SessionKey]) -> Result<usize, StoreError> {
        let mut newer = 0;
        for some in due.chunks(JUDGED_AT_ONCE) {
            let verdicts = self.judge_some(some).await?;
            for (key, letter) in some.iter().zip(&verdicts).flat_map(|(key, word)| word.chars().map(move |c| (*key, c)))
            {
                match letter {
                    'd' => self.swept.disconnected.push(key),
                    'e' => self.swept.ended.push((key, EndReason::Expired)),
                    'm' => self.swept.ended.push((key, EndReason::MaxLifetime)),
                    'b' => self.swept.ended.push((key, EndReason::Abandoned)),
                    _ => newer += 1,
                }
            }
        }
        Ok(newer)
    }

    async fn judge_some(&mut self, sessions: &[SessionKey]) -> Result<Vec<String>, StoreError> {
        let call = Call::new(&scripts::SWEEP, self.store.keys(), self.shard, sessions).number(span(self.grace));
        let call = sessions.iter().fold(call, |call, key| call.arg(key.as_str()));
        self.lease.ask(&call).await
    }
}

/// The sessions an index names.
pub(super) fn keys(members: &[String]) -> Result<Vec<SessionKey>, StoreError> {
    let parse = |member: &String| {
        SessionKey::parse(member).ok_or_else(|| StoreError::new(StoreErrorKind::Corrupt, "an index names no session"))
    };
    members.iter().map(parse).collect()
}
