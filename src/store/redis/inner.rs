//! The sessions of a shared inner service on Redis: a key of their own, made by the first.
//!
//! Nothing but a blueprint and these scripts reads it. It outlives its session for a while: who finds it without a record finds
//! what an ended session left behind.

use bytes::Bytes;

use super::RedisStore;
use super::answer::Answer;
use super::scripts::{self, Call};
use crate::id::SessionKey;
use crate::store::{InnerReplaced, StoreError, StoreErrorKind};

impl RedisStore {
    /// It works on a full Redis: what it writes keeps a session going.
    pub(super) async fn compare_and_set_inner(
        &self,
        key: &SessionKey,
        generation: u32,
        expected: Option<u64>,
        sealed: &Bytes,
    ) -> Result<InnerReplaced, StoreError> {
        let call = Call::on(&scripts::REPLACE_INNER, self.keys(), key)
            .number(generation.into())
            .owned(expected.map_or_else(Vec::new, |number| number.to_string().into_bytes()))
            .arg(sealed);
        let mut answer = Answer::of(self.lease().await?.ask(&call).await?);
        Ok(match answer.signed()? {
            -1 => InnerReplaced::Superseded,
            -2 => InnerReplaced::Gone,
            0 => InnerReplaced::Lost(answer.inner()?),
            incarnation => InnerReplaced::Replaced {
                incarnation: u64::try_from(incarnation).map_err(|_| StoreErrorKind::Corrupt)?,
            },
        })
    }

    pub(super) async fn take_inner_left(&self, key: &SessionKey) -> Result<Option<Bytes>, StoreError> {
        let call = Call::on(&scripts::TAKE_INNER, self.keys(), key);
        let sealed: Option<Vec<u8>> = self.lease().await?.ask(&call).await?;
        Ok(sealed.map(Bytes::from))
    }
}
