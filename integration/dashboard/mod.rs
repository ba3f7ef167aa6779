//! The dashboard as people use it: in a real Chromium, beside real replicas; and the logic of its modules, under Node.js.

mod acting;
mod axe;
pub(crate) mod browser;
mod closed;
mod cutter;
mod documented;
mod filtering;
mod hostile;
mod live;
mod looks;
mod many;
mod modules;
mod origins;
mod transports;

use http::header;
use serde_json::{Value, json};
use tower_mcp_sessions::monitor::{MonitorBuilder, Role};
use tower_mcp_sessions::{RateLimits, ReconnectKeys, SessionLayerBuilder};

use self::browser::Page;
use crate::harness::backend::Backend;
use crate::harness::login::everybody_as;
use crate::harness::raw::{Client, SESSION_ID, Session, notification, request};
use crate::harness::trio::Trio;

/// Three replicas whose monitors let this machine act.
async fn trio(backend: Backend) -> Trio {
    Trio::monitored(backend.store().await, with_tokens, admins).await
}

fn admins(monitor: MonitorBuilder) -> MonitorBuilder {
    monitor.access(everybody_as(Role::Admin)).allow_terminate(true)
}

fn with_tokens(_: usize, builder: SessionLayerBuilder) -> SessionLayerBuilder {
    let keys = ReconnectKeys::new("first", b"of the dashboard's tests, 32 bytes or more").expect("a good key");
    builder.reconnect(keys).rate_limits(RateLimits::off())
}

/// A session of a client that says this of itself.
async fn open_as(client: &Client, name: &str, version: &str) -> Session {
    let params = json!({
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": { "name": name, "version": version },
    });
    let answer = client.post(&request(0, "initialize", params)).await.whole().await;
    let id = answer.headers[SESSION_ID].to_str().expect("an id is ASCII").to_owned();
    let client = client.with(SESSION_ID, &id);
    client.post(&notification("notifications/initialized")).await.whole().await;
    Session { id, client }
}

/// What the page's server says about its sessions.
async fn health(trio: &Trio) -> Value {
    let client = Client::of(&trio.replicas[0]).with(header::ACCEPT, "application/json");
    client.at_path("/api/mcp/sessions/health").get().await.whole().await.json()
}

/// The dashboard of the first replica, once it is live and shows what there is.
async fn live_page(trio: &Trio) -> Page {
    let page = Page::open(&format!("http://{}/", trio.replicas[0].address)).await;
    page.until("it is live", "return document.querySelector('#state').dataset.state === 'live'").await;
    page.until("the first snapshot is shown", "return document.querySelector('#content').checkVisibility()").await;
    page
}
