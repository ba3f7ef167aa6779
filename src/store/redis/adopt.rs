//! [`SessionStore::adopt`](crate::store::SessionStore::adopt) on Redis: one compare-and-set on the principal and the generation.
//!
//! It works on a full Redis, as everything does that keeps a session going: the record grows by the principal alone.

use super::RedisStore;
use super::scripts::{self, Call};
use crate::id::SessionKey;
use crate::session::Principal;
use crate::store::{Adoption, StoreError, StoreErrorKind};

impl RedisStore {
    pub(super) async fn give_to(
        &self,
        key: &SessionKey,
        generation: u32,
        principal: &Principal,
    ) -> Result<Adoption, StoreError> {
        let call = Call::on(&scripts::ADOPT, self.keys(), key)
            .arg(key.as_str())
            .number(generation.into())
            .arg(principal.as_str());
        let (generation, again): (i64, i64) = self.lease().await?.ask(&call).await?;
        Ok(match generation {
            -1 => Adoption::Superseded,
            -2 => Adoption::Gone,
            -3 => Adoption::Taken,
            generation => Adoption::Adopted {
                generation: u32::try_from(generation).map_err(|_| StoreErrorKind::Corrupt)?,
                again: again == 1,
            },
        })
    }
}
