//! A session's life across replicas: in use, idle, back again, ended; and the data that lives as long as it does.

mod abandoned;
mod data;
mod ending;
mod idle;
mod leaving;
mod lifetimes;
mod lost_keys;
mod usage;

use std::time::Duration;

use tower::Layer;
use tower_mcp_sessions::SessionLayerBuilder;

use crate::harness::backend::SharedStore;
use crate::harness::inner::Scripted;
use crate::harness::replica::{Replica, layer};

/// The shortest idle timeout there is.
const IDLE: Duration = Duration::from_secs(1);

/// A replica whose sessions are idle soon.
async fn replica(store: &SharedStore, inner: &Scripted) -> Replica {
    tuned(store, inner, |layer| layer).await
}

/// The same, with other options too.
async fn tuned(
    store: &SharedStore,
    inner: &Scripted,
    tune: impl FnOnce(SessionLayerBuilder) -> SessionLayerBuilder,
) -> Replica {
    Replica::start(tune(layer(store).idle_timeout(IDLE)).build().layer(inner.clone())).await
}
