//! How much one address, one principal and one session may ask for, over all replicas together; and how many sessions may live.

mod addresses;
mod attempts;
mod away;
mod opens;

use std::time::Duration;

use http::header::RETRY_AFTER;
use tower_mcp_sessions::RateLimits;
use tower_mcp_sessions::store::Rate;

use super::audit::Told;
use super::open_doors;
use crate::harness::backend::{Backend, SharedStore};
use crate::harness::raw::{Client, Whole};
use crate::harness::trio::Trio;

/// Two addresses of clients.
const ONE: &str = "192.0.2.1";
const OTHER: &str = "192.0.2.2";

/// So many in a time that no test takes.
pub(super) fn at_most(most: u32) -> Option<Rate> {
    Some(Rate { most, per: Duration::from_secs(600) })
}

/// Three replicas behind a proxy of their own, which tells where a client is.
async fn limited(backend: Backend, limits: RateLimits) -> (Trio, Told) {
    limited_on(backend.store().await, limits).await
}

/// The same on a store that there is already.
async fn limited_on(store: SharedStore, limits: RateLimits) -> (Trio, Told) {
    let told = Told::default();
    let behind_proxy = |_, builder| told.by(open_doors(builder)).trusted_proxy("127.0.0.1").rate_limits(limits.clone());
    (Trio::monitored(store, behind_proxy, |monitor| monitor).await, told)
}

/// The client at an address, as the proxy tells it.
fn from(client: &Client, address: &str) -> Client {
    client.with("x-forwarded-for", address)
}

/// When to try again, in seconds; `None` if it is not said.
fn retry_after(answer: &Whole) -> Option<u64> {
    Some(answer.headers.get(RETRY_AFTER)?.to_str().expect("text").parse().expect("seconds"))
}
