//! [`SessionLayerBuilder`]: every choice about a layer, and its default.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;

use super::SessionLayer;
use crate::address::TrustedProxies;
#[cfg(feature = "reconnect")]
use crate::audit::ReconnectAttempt;
use crate::engine::Engine;
use crate::engine::config::{Config, Freshness, InnerSessions, Resumable};
use crate::lifetimes::OnReturn;
use crate::limits::RateLimits;
use crate::origin::OriginPolicy;
#[cfg(feature = "reconnect")]
use crate::reconnect::ReconnectKeys;
use crate::refusal::Refusal;
use crate::session::Principal;
use crate::store::{AgeLimits, Lifetimes, LogLimits, ReplicaId, Store};

/// Builds a [`SessionLayer`]. Every option has a default that suits a server on one machine.
#[must_use = "a builder does nothing until built"]
pub struct SessionLayerBuilder {
    store: Arc<dyn Store>,
    config: Config,
    problems: Vec<String>,
}

impl SessionLayerBuilder {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        let config = Config {
            lifetimes: Lifetimes::default(),
            freshness: Freshness::default(),
            origins: OriginPolicy::default(),
            body_limit: 4 << 20,
            handshake_limit: 64 << 10,
            data_limit: 64 << 10,
            batch_limit: 100,
            drain_timeout: Duration::from_secs(8),
            limits: RateLimits::default(),
            resumable: Resumable::default(),
            inner_sessions: InnerSessions::default(),
            stream_log: LogLimits { messages: 1000, bytes: 1 << 20, ttl: Duration::from_secs(15 * 60) },
            replica: default_replica(),
            deployment: None,
            principal: None,
            principal_required: false,
            adopt_anonymous: true,
            principal_label: None,
            peer: None,
            trusted_proxies: TrustedProxies::default(),
            ages: AgeLimits::default(),
            on_reconnect: None,
            #[cfg(feature = "reconnect")]
            reconnect: None,
            #[cfg(feature = "reconnect")]
            reconnect_tool: false,
        };
        Self { store, config, problems: Vec::new() }
    }

    /// How long a session may go unused before it is `disconnected`. Default: 5 minutes; at least one second. As all lifetimes,
    /// it holds for the sessions this layer opens, for as long as they live and wherever they are served.
    ///
    /// It is noticed at most one second late, by the store's clock, and never while a request or stream of it is open.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.config.lifetimes.idle_timeout = timeout;
        self
    }

    /// How long a session may go unused before it ends. Default: 24 hours; no less than the idle timeout.
    pub fn expires_after(mut self, retention: Duration) -> Self {
        self.config.lifetimes.expires_after = retention;
        self
    }

    /// How old a session may get, used or not. Default: as old as it likes.
    pub fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.config.lifetimes.max_lifetime = Some(lifetime);
        self
    }

    /// How long a client may take to confirm its handshake: to send anything but a ping within the session it opened, usually
    /// `notifications/initialized`. Default: 60 seconds; then the session ends.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.config.lifetimes.handshake_timeout = timeout;
        self
    }

    /// What happens when the client of a disconnected session comes back. Default: [`OnReturn::Revive`].
    pub fn on_return(mut self, on_return: OnReturn) -> Self {
        self.config.lifetimes.on_return = on_return;
        self
    }

    /// How fresh the store's word on a session must be. Default: [`Freshness::Cached`], at most one second old.
    pub fn freshness(mut self, freshness: Freshness) -> Self {
        self.config.freshness = freshness;
        self
    }

    /// Who a request acts for: usually what an authentication layer outside left in the extensions. Default: nobody; then a
    /// session belongs to whoever holds its id.
    ///
    /// `Ok(None)` says that the request is anonymous on purpose. `Err(refusal)` closes the door: a request whose caller cannot be
    /// told must not be taken for an anonymous one. The hook is asked once for each request of either era, before anything of it
    /// is looked at but `Host` and `Origin`; not for OPTIONS, because browsers send preflights without credentials. If it panics,
    /// the answer is 500.
    ///
    /// ```
    /// # use tower_mcp_sessions::{Refusal, SessionLayer, store::MemoryStore};
    /// # #[derive(Clone)] struct User { subject: String, is_banned: bool }
    /// let sessions = SessionLayer::builder(MemoryStore::new())
    ///     .principal(|parts| match parts.extensions.get::<User>() {
    ///         Some(user) if user.is_banned => Err(Refusal::forbidden("This account is closed; ask support@example.com")),
    ///         user => Ok(user.map(|user| user.subject.clone())),
    ///     })
    ///     .build();
    /// ```
    pub fn principal<P: Into<Principal>>(
        mut self,
        find: impl Fn(&Parts) -> Result<Option<P>, Refusal> + Send + Sync + 'static,
    ) -> Self {
        self.config.principal = Some(Box::new(move |parts| Ok(find(parts)?.map(Into::into))));
        self
    }

    /// Refuses requests for which [`principal`](Self::principal) says `Ok(None)`: 401. Default: they are anonymous. Operators
    /// who act through the monitor are known to its [`Access`](crate::monitor::Access), and need not be a principal too.
    ///
    /// ```
    /// # use tower_mcp_sessions::{SessionLayer, store::MemoryStore};
    /// # #[derive(Clone)] struct User { subject: String }
    /// let sessions = SessionLayer::builder(MemoryStore::new())
    ///     .principal(|parts| Ok(parts.extensions.get::<User>().map(|user| user.subject.clone())))
    ///     .require_principal()
    ///     .build();
    /// ```
    pub fn require_principal(mut self) -> Self {
        self.config.principal_required = true;
        self
    }

    /// Whether the first principal that uses an anonymous session has it from then on. Default: yes. Servers that answer
    /// `initialize` openly and ask for a login later need it: clients log in, and go on with the id they have. The session is adopted
    /// once, by a POST, a GET or a DELETE that carries its id; to everybody else, the anonymous included, it does not exist any more, on
    /// any replica. What its anonymous holder had open ends; a reconnect token it was given is its adopter's. With `false` an
    /// anonymous session answers a principal 404.
    ///
    /// ```
    /// # use tower_mcp_sessions::{SessionLayer, store::MemoryStore};
    /// let sessions = SessionLayer::builder(MemoryStore::new()).adopt_anonymous(false).build();
    /// ```
    pub fn adopt_anonymous(mut self, on: bool) -> Self {
        self.config.adopt_anonymous = on;
        self
    }

    /// The TCP peer of a request, which a tower service cannot know by itself. Default: the [`PeerAddr`](crate::PeerAddr) in
    /// the request's extensions, if there is one.
    pub fn peer(mut self, find: impl Fn(&Parts) -> Option<SocketAddr> + Send + Sync + 'static) -> Self {
        self.config.peer = Some(Box::new(find));
        self
    }

    /// Whose `X-Forwarded-For` (or `Forwarded`) to believe when a client's address is wanted: an address, or a network such as
    /// `10.0.0.0/8`. The client is the last hop that is no trusted proxy. Default: nobody's; then the peer is the client.
    pub fn trusted_proxy(mut self, network: &str) -> Self {
        let refused = self.config.trusted_proxies.trust(network).err();
        self.problems.extend(refused.map(|why| format!("trusted_proxy: {why}")));
        self
    }

    /// How a principal is shown in logs and audit events; `None` shows nothing of it. Default: as it is.
    ///
    /// ```
    /// # use tower_mcp_sessions::{SessionLayer, store::MemoryStore};
    /// let sessions = SessionLayer::builder(MemoryStore::new())
    ///     .principal_label(|principal| principal.as_str().split('@').nth(1).map(|domain| format!("…@{domain}")))
    ///     .build();
    /// ```
    pub fn principal_label(mut self, label: impl Fn(&Principal) -> Option<String> + Send + Sync + 'static) -> Self {
        self.config.principal_label = Some(Box::new(label));
        self
    }

    /// Gives out reconnect tokens signed with these keys, and takes them: a client that lost its session id has its session
    /// back with one. Default: none are given, and tokens are ignored.
    #[cfg(feature = "reconnect")]
    pub fn reconnect(mut self, keys: ReconnectKeys) -> Self {
        self.config.reconnect = Some(keys);
        self
    }

    /// Lists an MCP tool `reconnect_session` beside the inner service's own and answers its calls. Default: off, for its
    /// arguments and its result are secrets, and a tool call ends up in a transcript that a model and others read. Where the
    /// inner service has a tool of that name, it is hidden.
    #[cfg(feature = "reconnect")]
    pub fn reconnect_tool(mut self, on: bool) -> Self {
        self.config.reconnect_tool = on;
        self
    }

    /// Hears of every attempt to reconnect, once. Called on the request's way: it should be quick. Default: nobody does, beside
    /// `tracing` (target `tower_mcp_sessions::audit`).
    #[cfg(feature = "reconnect")]
    pub fn on_reconnect(mut self, hear: impl Fn(&ReconnectAttempt) + Send + Sync + 'static) -> Self {
        self.config.on_reconnect = Some(Box::new(hear));
        self
    }

    /// Answers requests whose `Host` is this name too: `mcp.example.com` (any port) or `mcp.example.com:8443`. Loopback names
    /// are always answered, any other host is refused with 403, and logged now and then. Pages that were loaded from this host
    /// are let in as well, such as the dashboard behind a proxy that ends TLS and passes `Host` on, whichever of http and https
    /// they came by. Pages from other loopback origins are not, once a host is named: see [`allow_origin`](Self::allow_origin).
    pub fn allow_host(mut self, host: &str) -> Self {
        let refused = self.config.origins.allow_host(host).err();
        self.problems.extend(refused.map(|why| format!("allow_host: {why}")));
        self
    }

    /// Answers requests to any `Host`. Only where something in front has checked it: without that check, a web page can
    /// reach a server on its visitor's machine (DNS rebinding). Loopback origins have to be named then.
    pub fn allow_any_host(mut self) -> Self {
        self.config.origins.allow_any_host();
        self
    }

    /// Accepts browser requests from this origin too: `https://app.example.com`, or of another scheme, such as
    /// `chrome-extension://…` and `vscode-webview://…`; never `null`, which is anybody's. A page of this server's own, on a
    /// host it answers to by name, is always accepted. Loopback origins are accepted until a host or an origin is named; from
    /// then on they have to be named, too. Any other origin is refused with 403. A request without `Origin` comes from no
    /// browser and is accepted. To read the answers, a page of another origin needs CORS headers too: see
    /// [Browsers](crate#browsers).
    pub fn allow_origin(mut self, origin: &str) -> Self {
        let refused = self.config.origins.allow_origin(origin).err();
        self.problems.extend(refused.map(|why| format!("allow_origin: {why}")));
        self
    }

    /// Longest request body, in bytes, counted while it streams. Default: 4 MiB.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.config.body_limit = bytes;
        self
    }

    /// Longest `initialize` message, in bytes: it is kept with the session. Default: 64 KiB.
    pub fn handshake_limit(mut self, bytes: usize) -> Self {
        self.config.handshake_limit = bytes;
        self
    }

    /// Most data a session may keep through [`McpSession`](crate::McpSession), names and values, in bytes. Default: 64 KiB.
    pub fn data_limit(mut self, bytes: usize) -> Self {
        self.config.data_limit = bytes;
        self
    }

    /// Most messages in a JSON-RPC batch (sessions of 2025-03-26 only). Default: 100.
    pub fn batch_limit(mut self, messages: usize) -> Self {
        self.config.batch_limit = messages;
        self
    }

    /// Whose the inner service's sessions are. Default: [`InnerSessions::PerReplica`]. Choose [`InnerSessions::Shared`] where
    /// all replicas reach the same inner service: a session of a client is then one session there.
    ///
    /// ```
    /// # use tower_mcp_sessions::{InnerSessions, SessionLayer, store::MemoryStore};
    /// let gateway = SessionLayer::builder(MemoryStore::new()).inner_sessions(InnerSessions::Shared).build();
    /// ```
    pub fn inner_sessions(mut self, inner_sessions: InnerSessions) -> Self {
        self.config.inner_sessions = inner_sessions;
        self
    }

    /// Which answers a client can resume on any replica after its connection broke. Default: [`Resumable::Streams`].
    pub fn resumable(mut self, resumable: Resumable) -> Self {
        self.config.resumable = resumable;
        self
    }

    /// How much of its streams a session keeps for clients that resume: messages, bytes, and for how long after the last one.
    /// Beyond that the oldest make room, and who resumes from before them is told of the gap. Default: 1,000 messages, 1 MiB,
    /// 15 minutes.
    pub fn stream_log(mut self, messages: usize, bytes: usize, ttl: Duration) -> Self {
        self.config.stream_log = LogLimits { messages, bytes, ttl };
        self
    }

    /// How often sessions may be opened and reconnected, and how many may live. Default: [`RateLimits::default`].
    pub fn rate_limits(mut self, limits: RateLimits) -> Self {
        self.config.limits = limits;
        self
    }

    /// When an idle session counts as healthy, aging or stale in the monitor. Default: healthy for less than 5 minutes, stale
    /// for more than 10.
    pub fn age_limits(mut self, limits: AgeLimits) -> Self {
        self.config.ages = limits;
        self
    }

    /// How long calls may finish once the layer is told to stop. Default: 8 seconds.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.config.drain_timeout = timeout;
        self
    }

    /// This replica's name in records and events. Default: the host's name and the process id.
    pub fn replica(mut self, name: impl Into<Arc<str>>) -> Self {
        self.config.replica = name.into();
        self
    }

    /// The name of the deployment: of all processes that are to share their sessions. A process whose store holds the sessions of
    /// another name refuses to serve them: see [`SessionLayer::start`]. 1 to 64 visible ASCII characters. Default: none; then
    /// the name of the MCP server is compared, and a difference is warned of.
    pub fn deployment(mut self, name: &str) -> Self {
        if !(1..=64).contains(&name.len()) || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.problems.push("deployment must be 1 to 64 visible ASCII characters".to_owned());
        }
        self.config.deployment = Some(name.into());
        self
    }

    /// Builds the layer.
    ///
    /// # Panics
    ///
    /// If an option makes no sense; the text says which. [`try_build`](Self::try_build) returns it instead.
    #[must_use]
    pub fn build(self) -> SessionLayer {
        match self.try_build() {
            Ok(layer) => layer,
            Err(error) => panic!("{error}"),
        }
    }

    /// Builds the layer.
    ///
    /// # Errors
    ///
    /// If an option makes no sense; the text names every one.
    pub fn try_build(mut self) -> Result<SessionLayer, ConfigError> {
        let lifetimes = &self.config.lifetimes;
        if lifetimes.idle_timeout < Duration::from_secs(1) {
            self.problems.push("idle_timeout must be at least one second".to_owned());
        }
        if lifetimes.expires_after < lifetimes.idle_timeout {
            self.problems.push("expires_after must not be shorter than idle_timeout".to_owned());
        }
        if lifetimes.expires_after > LONGEST_RETENTION {
            self.problems.push("expires_after must not be longer than ten years".to_owned());
        }
        if lifetimes.max_lifetime.is_some_and(|lifetime| lifetime.is_zero()) {
            self.problems.push("max_lifetime must not be zero; leave it out for no limit".to_owned());
        }
        if self.config.stream_log.messages == 0 || self.config.stream_log.ttl.is_zero() {
            self.problems.push(
                "stream_log must keep something for a while; use resumable(Resumable::Nothing) for none".to_owned(),
            );
        }
        if self.config.ages.healthy > self.config.ages.stale {
            self.problems.push("age_limits: a session cannot be stale before it is no longer healthy".to_owned());
        }
        if self.config.principal_required && self.config.principal.is_none() {
            self.problems.push("require_principal needs principal(…), or nobody is let in".to_owned());
        }
        self.problems.extend(self.config.limits.problems());
        #[cfg(feature = "reconnect")]
        if self.config.reconnect.as_ref().is_some_and(|keys| !TOKEN_TTLS.contains(&keys.ttl())) {
            self.problems.push("the token_ttl of reconnect(keys) must be one second to 30 days".to_owned());
        }
        #[cfg(feature = "reconnect")]
        if self.config.reconnect_tool && self.config.reconnect.is_none() {
            self.problems.push("reconnect_tool needs reconnect(keys)".to_owned());
        }
        let replica_id = ReplicaId::generate();
        if let Err(error) = &replica_id {
            self.problems.push(format!("the operating system has no randomness: {error}"));
        }
        if !self.problems.is_empty() {
            return Err(ConfigError(self.problems));
        }
        let replica_id = replica_id.map_err(|error| ConfigError(vec![error.to_string()]))?;
        Ok(SessionLayer::new(Engine::new(self.config, self.store, replica_id)))
    }
}

impl fmt::Debug for SessionLayerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayerBuilder").field("lifetimes", &self.config.lifetimes).finish_non_exhaustive()
    }
}

/// Options that make no sense. `Debug` reads like `Display`.
pub struct ConfigError(Vec<String>);

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the session layer cannot be built: {}", self.0.join("; "))
    }
}

impl Error for ConfigError {}

/// Beyond it Redis may take no expiry.
const LONGEST_RETENTION: Duration = Duration::from_secs(3650 * 24 * 3600);
#[cfg(feature = "reconnect")]
const TOKEN_TTLS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30 * 24 * 3600);

fn default_replica() -> Arc<str> {
    let host = std::env::var("HOSTNAME")
        .ok()
        .or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "replica".to_owned());
    format!("{host}-{}", std::process::id()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    #[test]
    fn options_that_make_no_sense_are_named_all_at_once() {
        let error = SessionLayer::builder(MemoryStore::new())
            .idle_timeout(Duration::ZERO)
            .expires_after(Duration::MAX)
            .allow_host("https://x")
            .allow_origin("x")
            .require_principal()
            .try_build()
            .unwrap_err()
            .to_string();
        for part in [
            "idle_timeout",
            "expires_after must not be longer than ten years",
            "allow_host: \"https://x\"",
            "allow_origin: \"x\" is no origin",
            "require_principal needs principal",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[cfg(feature = "reconnect")]
    #[test]
    fn a_token_lifetime_that_makes_no_sense_is_refused_with_the_range() {
        let built = |ttl| {
            let keys = ReconnectKeys::random().unwrap().token_ttl(Duration::from_secs(ttl));
            SessionLayer::builder(MemoryStore::new()).reconnect(keys).try_build()
        };
        for ttl in [0, 30 * 24 * 3600 + 1, u64::MAX] {
            let error = built(ttl).unwrap_err();
            assert!(error.to_string().contains("one second to 30 days"), "{ttl}: {error}");
            assert_eq!(format!("{error:?}"), error.to_string());
        }
        assert!(built(1).is_ok() && built(30 * 24 * 3600).is_ok());
    }
}
