//! Who may look, and who may act: [`Access`].

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Version, header};
use serde::Serialize;
use subtle::ConstantTimeEq;

use super::one_time_code::OneTimeCode;
use crate::engine::config::{Config, said};
use crate::origin::is_loopback_host;

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// See how many sessions there are, how old, of which types of client, and that something happens to them; no session.
    Counts,
    /// See sessions, their clients and what happens to them.
    View,
    /// And end sessions, where that is allowed at all, and give out reconnect tokens for them.
    Admin,
}

/// What a viewer may do here: `access` in the answer of `health`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Grant {
    pub(crate) role: Option<Role>,
    pub(crate) may_terminate: bool,
    /// Give out reconnect tokens.
    pub(crate) reconnect: bool,
    /// A token may let in, or give a greater role.
    pub(crate) bearer: bool,
}

/// Who may use the monitor. What is not let in by an `Access` stays out: without one, everything but what clients get for
/// their own secrets answers 403.
///
/// ```
/// use tower_mcp_sessions::monitor::{Access, Role};
///
/// // Counts for this machine, everything with a token from anywhere.
/// let access = Access::local_view().or(Access::bearer("a long random token", Role::Admin));
/// # #[derive(Clone)] struct User { is_operator: bool }
/// // As the application's own login says.
/// let access = Access::from_fn(|parts| {
///     let operator = parts.extensions.get::<User>().is_some_and(|user| user.is_operator);
///     operator.then_some(Role::View)
/// });
/// // And where that has to ask somebody.
/// # async fn is_on_call(_: &User) -> bool { true }
/// let access = Access::from_async_fn(|parts| async move {
///     let user = parts.extensions.get::<User>()?;
///     is_on_call(user).await.then_some(Role::Admin)
/// });
/// ```
#[derive(Clone)]
pub struct Access {
    ways: Vec<Way>,
}

#[derive(Clone)]
enum Way {
    Local,
    Bearer(Arc<str>, Role),
    Code(OneTimeCode, Role),
    Ask(Arc<Ask>),
    AskAndWait(Arc<AskAndWait>),
}

type Ask = dyn Fn(&Parts) -> Option<Role> + Send + Sync;
type AskAndWait = dyn Fn(Parts) -> BoxFuture<'static, Option<Role>> + Send + Sync;

/// Headers that proxies add: a request that has one does not come from where its connection comes from.
const FORWARDING: [HeaderName; 3] = [header::FORWARDED, HeaderName::from_static("x-real-ip"), header::VIA];
/// And those that begin so.
const FORWARDING_PREFIXES: [&str; 2] = ["x-forwarded", "cf-"];

impl Access {
    /// Nobody.
    #[must_use]
    pub const fn closed() -> Self {
        Self { ways: Vec::new() }
    }

    /// A laptop's convenience, and the only way in without a secret: whoever connects from this machine, to a loopback `Host`,
    /// with nothing about the request that smells of a proxy, sees counts ([`Role::Counts`]) and never acts.
    ///
    /// It proves little: behind a proxy on the same machine that can be told to leave no trace (nginx leaves none by default since
    /// 1.29.7) everybody is let in so. The layer has to know the peer: see `SessionLayerBuilder::peer`.
    #[must_use]
    pub fn local_view() -> Self {
        Self { ways: vec![Way::Local] }
    }

    /// Whoever was first to open the link with this code.
    #[must_use]
    pub fn code(code: &OneTimeCode, role: Role) -> Self {
        Self { ways: vec![Way::Code(code.clone(), role)] }
    }

    /// Whoever sends `Authorization: Bearer` and this token; on a WebSocket, where a browser cannot send it, the token in
    /// `hello` counts too.
    #[must_use]
    pub fn bearer(token: impl Into<Arc<str>>, role: Role) -> Self {
        Self { ways: vec![Way::Bearer(token.into(), role)] }
    }

    /// Whoever `ask` gives a role: it finds in the request what an authentication layer outside left there. A socket that
    /// stays open is asked about again every minute. If `ask` panics, it has let nobody in.
    #[must_use]
    pub fn from_fn<F>(ask: F) -> Self
    where
        F: Fn(&Parts) -> Option<Role> + Send + Sync + 'static,
    {
        Self { ways: vec![Way::Ask(Arc::new(ask))] }
    }

    /// The same for an `ask` that has to wait. The head of the request is its own, extensions and all, so it may be held across an
    /// `.await`.
    #[must_use]
    pub fn from_async_fn<F, A>(ask: F) -> Self
    where
        F: Fn(Parts) -> A + Send + Sync + 'static,
        A: Future<Output = Option<Role>> + Send + 'static,
    {
        Self { ways: vec![Way::AskAndWait(Arc::new(move |parts| Box::pin(ask(parts))))] }
    }

    /// Whoever one of them lets in, with the greater role.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        self.ways.extend(other.ways);
        self
    }

    /// What the sender of a request may do.
    pub(crate) async fn role_of(&self, parts: &Parts, config: &Config) -> Option<Role> {
        let mut role = None;
        for way in &self.ways {
            let found = match way {
                Way::Local => is_local(parts, config).then_some(Role::Counts),
                Way::Bearer(token, role) => bears(&parts.headers, token).then_some(*role),
                Way::Code(code, role) => bears(&parts.headers, code.bearer()).then_some(*role),
                Way::Ask(ask) => said(|| ask(parts)).flatten(),
                Way::AskAndWait(ask) => match said(|| ask(parts.clone())) {
                    Some(asked) => AssertUnwindSafe(asked).catch_unwind().await.ok().flatten(),
                    None => None,
                },
            };
            role = role.max(found);
        }
        role
    }

    /// Whether a token in `hello` can let somebody in.
    pub(crate) fn takes_bearer(&self) -> bool {
        self.ways.iter().any(|way| !matches!(way, Way::Local))
    }

    /// The bearer token that a one-time code gives, and what it lets do.
    pub(crate) fn exchange(&self, code: &str) -> Option<(&str, Role)> {
        self.ways.iter().find_map(|way| match way {
            Way::Code(of, role) => of.exchange(code).map(|token| (token, *role)),
            Way::Local | Way::Bearer(..) | Way::Ask(_) | Way::AskAndWait(_) => None,
        })
    }
}

impl Default for Access {
    fn default() -> Self {
        Self::closed()
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |way: &Way| match way {
            Way::Local => "local".to_owned(),
            Way::Bearer(_, role) => format!("bearer as {role:?}"),
            Way::Code(_, role) => format!("code as {role:?}"),
            Way::Ask(_) | Way::AskAndWait(_) => "asked".to_owned(),
        };
        f.debug_list().entries(self.ways.iter().map(name)).finish()
    }
}

fn is_local(parts: &Parts, config: &Config) -> bool {
    let peer = config.peer_of(parts).map(|peer| peer.ip().to_canonical());
    let is_direct = parts.version >= Version::HTTP_11 && !parts.headers.keys().any(is_forwarding);
    peer.is_some_and(|peer| peer.is_loopback()) && is_loopback_host(parts) && is_direct
}

fn is_forwarding(name: &HeaderName) -> bool {
    FORWARDING.contains(name) || FORWARDING_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix))
}

fn bears(headers: &HeaderMap, token: &str) -> bool {
    let sent = headers.get(header::AUTHORIZATION).map(http::HeaderValue::as_bytes);
    let sent = sent.and_then(|value| {
        let (scheme, token) = value.split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
    });
    // The comparison tells nothing but the token's length.
    sent.is_some_and(|sent| !token.is_empty() && bool::from(sent.ct_eq(token.as_bytes())))
}
