//! The doors: where a request comes from, and who it acts for. Requests of both eras pass the same ones, before anything else.

mod flag;
mod matrix;
mod refused;

use http::request::Parts;
use http::{HeaderName, HeaderValue};
use tower_mcp_sessions::monitor::Role;
use tower_mcp_sessions::{RateLimits, ReconnectKeys, Refusal, SessionLayerBuilder};

use crate::harness::backend::{Backend, SharedStore};
use crate::harness::inner::Scripted;
use crate::harness::login::everybody_as;
use crate::harness::raw::{Client, VERSION, initialize, modern, request};
use crate::harness::replica::{Replica, layer};

const USER: HeaderName = HeaderName::from_static("x-user");
/// Whom the hook refuses.
const BANNED: &str = "banned";
/// Whom the hook cannot tell.
const UNKNOWN: &str = "who?";
/// On whom it panics.
const PANIC: &str = "panic";
const CHALLENGE: &str = "Bearer realm=\"of the tests\"";

/// The principal hook of these tests.
fn hook(parts: &Parts) -> Result<Option<String>, Refusal> {
    let Some(user) = parts.headers.get(USER) else { return Ok(None) };
    match user.to_str() {
        Ok(BANNED) => Err(Refusal::forbidden("This account is closed")),
        Ok(UNKNOWN) => Err(Refusal::unauthorized("Log in first").with_challenge(HeaderValue::from_static(CHALLENGE))),
        Ok(PANIC) => panic!("told to, in the hook"),
        Ok(user) => Ok(Some(user.to_owned())),
        Err(_) => Err(Refusal::unauthorized("Say it in ASCII")),
    }
}

/// Replicas of one deployment that differ by who is let in, each with a monitor that lets everybody act. What gets inside is
/// answered, whatever its era.
struct Stage {
    store: SharedStore,
    inner: Scripted,
    /// Anybody may be nobody.
    open: Replica,
    /// Everybody has to be somebody.
    strict: Replica,
    /// Anonymous sessions stay anonymous.
    aloof: Replica,
}

impl Stage {
    async fn of(backend: Backend) -> Self {
        let (store, inner) = (backend.store().await, Scripted::without_sessions());
        let open = replica(&store, &inner, |builder| builder).await;
        let strict = replica(&store, &inner, SessionLayerBuilder::require_principal).await;
        let aloof = replica(&store, &inner, |builder| builder.adopt_anonymous(false)).await;
        Self { store, inner, open, strict, aloof }
    }
}

async fn replica(
    store: &SharedStore,
    inner: &Scripted,
    options: impl FnOnce(SessionLayerBuilder) -> SessionLayerBuilder,
) -> Replica {
    let keys = ReconnectKeys::new("first", b"of the integration tests, 32 bytes at least").expect("a good key");
    let builder = layer(store).principal(hook).reconnect(keys).rate_limits(RateLimits::off());
    let sessions = options(builder).build();
    let monitor = sessions.monitor().access(everybody_as(Role::Admin)).allow_terminate(true);
    Replica::beside(&sessions, inner, monitor.build()).await
}

/// How a request says which era it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Era {
    Legacy,
    /// Modern by its header.
    Header,
    /// Modern by its body.
    Body,
}

impl Era {
    const ALL: [Self; 3] = [Self::Legacy, Self::Header, Self::Body];

    /// A client that says so in its header, if it does.
    fn client(self, client: &Client) -> Client {
        match self {
            Self::Legacy | Self::Body => client.clone(),
            Self::Header => client.with(VERSION, "2026-07-28"),
        }
    }

    /// A message that says so in its body, if it does.
    fn message(self, method: &str) -> serde_json::Value {
        match (self, method) {
            (Self::Body, method) => modern(method),
            (Self::Legacy | Self::Header, "initialize") => initialize("2025-11-25"),
            (Self::Legacy | Self::Header, method) => request(1, method, serde_json::json!({})),
        }
    }
}
