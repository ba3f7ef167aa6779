//! *May this happen once more?* Limits are counted in the store, over all replicas together. While it is away each replica
//! counts by itself, and permits less.

use std::net::IpAddr;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::address;
use crate::engine::Engine;
use crate::local_limiter;
use crate::rejection::Rejection;
use crate::session::{Principal, Timestamp};
use crate::store::{Rate, WindowName};

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Counted {
    OpensOfAddress,
    OpensOfPrincipal,
    ReconnectsOfAddress,
    ReconnectsOfSession,
    ReconnectsOfPrincipal,
}

impl Counted {
    const fn name(self) -> &'static str {
        match self {
            Self::OpensOfAddress => "oa",
            Self::OpensOfPrincipal => "op",
            Self::ReconnectsOfAddress => "ra",
            Self::ReconnectsOfSession => "rs",
            Self::ReconnectsOfPrincipal => "rp",
        }
    }

    /// The window of one of them. Addresses and principals are people's: the store sees a digest.
    fn window(self, who: &str) -> WindowName {
        let digest = Sha256::new().chain_update(self.name()).chain_update(b"\0").chain_update(who).finalize();
        let name = format!("{}.{}", self.name(), URL_SAFE_NO_PAD.encode(&digest[..15]));
        WindowName::parse(&name).expect("letters and a digest are a name")
    }
}

impl Engine {
    /// Counts the opening of a session.
    ///
    /// # Errors
    ///
    /// [`Rejection::RateLimited`]; [`Rejection::AddressUnknown`] if addresses are limited and this one is not known.
    pub(crate) async fn permit_open(
        &self,
        address: Option<IpAddr>,
        principal: Option<&Principal>,
    ) -> Result<(), Rejection> {
        let limits = &self.config.limits;
        self.permit_address(Counted::OpensOfAddress, address, limits.opens_per_address).await?;
        self.permit_principal(Counted::OpensOfPrincipal, principal, limits.opens_per_principal).await
    }

    pub(crate) async fn permit_address(
        &self,
        counted: Counted,
        address: Option<IpAddr>,
        rate: Option<Rate>,
    ) -> Result<Option<Timestamp>, Rejection> {
        match (rate, address) {
            (None, _) => Ok(None),
            (Some(_), None) => Err(Rejection::AddressUnknown),
            (Some(_), Some(address)) => self.permit(counted, &address::limited_as(address), rate).await,
        }
    }

    /// The nameless are limited by their address alone.
    pub(crate) async fn permit_principal(
        &self,
        counted: Counted,
        principal: Option<&Principal>,
        rate: Option<Rate>,
    ) -> Result<(), Rejection> {
        match principal {
            Some(principal) => self.permit(counted, principal.as_str(), rate).await.map(drop),
            None => Ok(()),
        }
    }

    /// Counts once more. Returns the store's clock if the store was asked, and counted.
    pub(crate) async fn permit(
        &self,
        counted: Counted,
        who: &str,
        rate: Option<Rate>,
    ) -> Result<Option<Timestamp>, Rejection> {
        let Some(rate) = rate else { return Ok(None) };
        let window = counted.window(who);
        let (now, retry_after) = match self.clock.timed(self.store.take(&window, &rate), |taken| taken.now).await {
            Ok(taken) => (Some(taken.now), taken.retry_after),
            Err(error) => {
                tracing::warn!(?counted, %error, "limits cannot be counted in the store; this replica counts by itself");
                let local = self.local_limits.take(window.as_str(), &local_limiter::stricter(&rate), Instant::now());
                (None, local)
            }
        };
        match retry_after {
            None => Ok(now),
            Some(span) => {
                let seconds = span.as_millis().div_ceil(1000).max(1);
                Err(Rejection::RateLimited { retry_after: u32::try_from(seconds).unwrap_or(u32::MAX) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_told_apart_and_name_nobody() {
        let (one, other) =
            (Counted::OpensOfAddress.window("192.0.2.1"), Counted::ReconnectsOfAddress.window("192.0.2.1"));
        assert_ne!(one, other);
        assert_ne!(one, Counted::OpensOfAddress.window("192.0.2.2"));
        assert!(!one.as_str().contains("192"), "{one:?}");
    }
}
