//! [`SessionStore::reconnect`](crate::store::SessionStore::reconnect) on Redis: one compare-and-set on the generation.
//!
//! It works on a full Redis, as everything does that keeps a session going. It makes no session, and what it writes takes the
//! place of something else, but for the note of about 100 bytes that lets the winner retry, and the event, whose log is capped;
//! only a new handshake and its inner session may be larger than those before.

use std::time::Duration;

use super::answer::Answer;
use super::scripts::{self, Call, span};
use super::{RedisStore, record};
use crate::session::Timestamp;
use crate::store::{Reconnected, Reconnection, StoreError, StoreErrorKind};

impl RedisStore {
    pub(super) async fn renew(&self, change: &Reconnection) -> Result<Reconnected, StoreError> {
        let nonce = change.nonce.as_ref().map_or(&[][..], |nonce| nonce.as_bytes());
        let call = Call::on(&scripts::RECONNECT, self.keys(), &change.key)
            .arg(change.key.as_str())
            .number(change.generation.into())
            .owned(record::tail(&change.digest, &change.origin)?)
            .arg(nonce)
            .number(span(Reconnection::RETRY_WINDOW));
        let inner = change.inner.as_ref().filter(|_| change.handshake.is_some());
        let call = change.handshake.iter().chain(inner).fold(call, |call, part| call.arg(part));
        let mut answer = Answer::of(self.lease().await?.ask(&call).await?);
        Ok(match answer.signed()? {
            -1 => Reconnected::Superseded,
            -2 => Reconnected::Gone,
            generation => Reconnected::Done {
                generation: u32::try_from(generation).map_err(|_| StoreErrorKind::Corrupt)?,
                again: answer.number()? == 1,
                now: Timestamp(answer.number()?),
                created_at: Timestamp(answer.number()?),
                gap: Duration::from_millis(answer.number()?),
                inbox: answer.number()?,
                inner: answer.inner()?,
                replaced: answer.inner()?,
            },
        })
    }
}
