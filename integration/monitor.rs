//! What stands beside the MCP endpoint: who is let in, what the API answers, and a feed that loses nothing over any transport.

mod access;
mod acting;
mod dice;
mod eras;
mod faults;
mod forged;
mod frames;
mod greeting;
mod health;
mod history;
mod hostile;
mod leaving;
mod list;
mod mounts;
mod nginx;
mod replayed;
mod socket;
mod stalled;
mod viewer;

use tower_mcp_sessions::monitor::{MonitorBuilder, Role};

use crate::harness::backend::Backend;
use crate::harness::login::everybody_as;
use crate::harness::raw::Client;
use crate::harness::replica::Replica;
use crate::harness::trio::Trio;

const REVISION: &str = "2025-11-25";

/// Three replicas whose monitors let this machine look.
async fn open_trio(backend: Backend) -> Trio {
    trio(backend, |monitor| monitor.access(everybody_as(Role::View))).await
}

async fn trio(backend: Backend, monitor: impl Fn(MonitorBuilder) -> MonitorBuilder) -> Trio {
    Trio::monitored(backend.store().await, |_, builder| builder, monitor).await
}

/// A client at a path below the list of a replica's sessions.
fn api(replica: &Replica, path: &str) -> Client {
    Client::of(replica).at_path(format!("/api/mcp/sessions{path}"))
}
