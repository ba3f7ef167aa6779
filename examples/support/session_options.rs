//! What the command line says about sessions: the same flags for every example that runs as a real server.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use clap::{Args, ValueEnum};
use http::{HeaderMap, HeaderName};
use tower_mcp_sessions::store::{MemoryStore, Rate};
use tower_mcp_sessions::{
    Freshness, OnReturn, RateLimits, ReconnectKeys, ReconnectKeysError, Refusal, SessionLayer, SessionLayerBuilder,
};

use crate::redis;

#[path = "time_span.rs"]
pub mod time_span;

/// Flags that make a session layer.
#[derive(Args)]
pub struct SessionOptions {
    /// Keep sessions in this Redis, shared by all replicas: redis://[user:password@]host[:port]/. Without it they live in
    /// this process's memory.
    #[arg(long, value_name = "URL", env = "REDIS_URL", hide_env_values = true)]
    redis: Option<String>,

    /// How long Redis may take to answer before a request is told to try again.
    #[arg(long, value_name = "TIME", default_value = "250ms", value_parser = time_span::patience())]
    redis_timeout: Duration,

    /// This replica's name in answers, records and logs [default: the address it listens on].
    #[arg(long, value_name = "NAME")]
    replica: Option<String>,

    /// How long a session may go unused before it is disconnected.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = time_span::lifetime())]
    idle_timeout: Duration,

    /// How long a session may go unused before it ends.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = time_span::lifetime())]
    expires_after: Duration,

    /// Give every session that lives this process's --idle-timeout, --expires-after and --on-return, in place of those it was
    /// opened with. Without it they hold for the sessions this process opens.
    #[arg(long)]
    apply_lifetimes: bool,

    /// The name of the deployment: of all processes that share their sessions. A process that finds the sessions of another name
    /// in its Redis does not start.
    #[arg(long, value_name = "NAME")]
    deployment: Option<String>,

    /// What happens when the client of a disconnected session comes back.
    #[arg(long, value_enum, default_value_t = Return::Revive)]
    on_return: Return,

    /// Ask the store about every request, instead of trusting its word for up to a second.
    #[arg(long)]
    strict: bool,

    /// Take the caller's identity from this header; whoever does not send it exactly once, in UTF-8, gets 401. Only behind a
    /// proxy that sets it: anybody can send a header.
    #[arg(long, value_name = "NAME")]
    principal_header: Option<HeaderName>,

    /// How long a reconnect token is good.
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = time_span::token_ttl())]
    token_ttl: Duration,

    /// Sign reconnect tokens with the keys in this file, the same on every replica: a line `KID SECRET` for each, the first
    /// signs; older ones may end with `until=2026-12-01T00:00:00Z`. `openssl rand -hex 32` makes a secret. Without it a random
    /// key is made, and tokens die with this process.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,

    /// List the tool reconnect_session and answer its calls. Its arguments and its result are secrets, which end up in the
    /// transcript.
    #[arg(long)]
    reconnect_tool: bool,

    /// Limits for one address, one principal and one session: 6,000 sessions opened and 60 reconnects attempted a minute.
    #[arg(long, value_enum, value_name = "on|off", default_value_t = Limits::On)]
    rate_limits: Limits,

    /// Take the client's address from what this proxy, or any in this network, says in X-Forwarded-For. May be repeated.
    #[arg(long, value_name = "CIDR")]
    trusted_proxy: Vec<String>,

    /// Answer requests to this host too, beside loopback names. May be repeated.
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,

    /// Accept browser requests from this origin, and answer them with CORS headers: https://name[:port], or another scheme, such
    /// as chrome-extension://ID. May be repeated. Loopback origins are accepted while neither this nor --allow-host is given.
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
}

impl SessionOptions {
    /// The replica's name, given or made.
    pub fn replica(&self, listening: SocketAddr) -> Arc<str> {
        self.replica.clone().unwrap_or_else(|| listening.to_string()).into()
    }

    /// The layer of this replica, its store connected, to be completed.
    pub async fn builder(&self, replica: Arc<str>) -> Result<SessionLayerBuilder, Box<dyn Error>> {
        let builder = match &self.redis {
            Some(url) => SessionLayer::builder(redis::connect(url, self.redis_timeout).await?),
            None => SessionLayer::builder(MemoryStore::new()),
        };
        Ok(self.configure(builder).reconnect(self.keys()?).replica(replica))
    }

    /// Makes sure that this process may serve the sessions in its store, and gives them its lifetimes if it is to.
    pub async fn start(&self, sessions: &SessionLayer) -> Result<(), Box<dyn Error>> {
        sessions.start().await?;
        if self.apply_lifetimes {
            let changed = sessions.apply_lifetimes().await?;
            tracing::info!(sessions = changed, "the lifetimes of all sessions are those of this process now");
        }
        Ok(())
    }

    fn keys(&self) -> Result<ReconnectKeys, ReconnectKeysError> {
        let keys = match &self.secret_file {
            Some(file) => ReconnectKeys::from_file(file)?,
            None => {
                tracing::warn!(
                    "reconnect tokens are signed with a random key: they die with this process, and other replicas refuse \
                     them; give all replicas the same --secret-file"
                );
                ReconnectKeys::random()?
            }
        };
        Ok(keys.token_ttl(self.token_ttl))
    }

    fn configure(&self, mut builder: SessionLayerBuilder) -> SessionLayerBuilder {
        builder = builder
            .idle_timeout(self.idle_timeout)
            .expires_after(self.expires_after)
            .on_return(self.on_return.into())
            .freshness(if self.strict { Freshness::Strict } else { Freshness::Cached })
            .reconnect_tool(self.reconnect_tool)
            .rate_limits(self.rate_limits.into())
            .peer(|parts| parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0));
        if let Some(name) = self.principal_header.clone() {
            builder = builder.principal(move |parts| subject(&parts.headers, &name).map(Some));
        }
        if let Some(name) = &self.deployment {
            builder = builder.deployment(name);
        }
        for network in &self.trusted_proxy {
            builder = builder.trusted_proxy(network);
        }
        for host in &self.allow_host {
            builder = builder.allow_host(host);
        }
        for origin in &self.allow_origin {
            builder = builder.allow_origin(origin);
        }
        builder
    }
}

/// The one value of a header that is the caller's name. Whoever has no name, or several, must not be taken for somebody else
/// who has none.
fn subject(headers: &HeaderMap, name: &HeaderName) -> Result<String, Refusal> {
    let mut values = headers.get_all(name).iter();
    let one = values.next().filter(|_| values.next().is_none());
    let subject =
        one.and_then(|value| std::str::from_utf8(value.as_bytes()).ok()).map(|value| value.trim_matches([' ', '\t']));
    let subject = subject.filter(|subject| !subject.is_empty()).map(str::to_owned);
    subject.ok_or_else(|| {
        Refusal::unauthorized(format!(
            "Who are you? The header {name} has to name you, once, in UTF-8; a proxy in front sets it"
        ))
    })
}

/// See [`RateLimits`].
#[derive(Clone, Copy, ValueEnum)]
enum Limits {
    /// Limits that only a flood reaches.
    On,
    /// No limits.
    Off,
}

impl From<Limits> for RateLimits {
    fn from(choice: Limits) -> Self {
        let opens = Some(Rate { most: 6000, per: Duration::from_secs(60) });
        match choice {
            Limits::On => Self { opens_per_address: opens, opens_per_principal: opens, ..Self::default() },
            Limits::Off => Self::off(),
        }
    }
}

/// See [`OnReturn`].
#[derive(Clone, Copy, ValueEnum)]
enum Return {
    /// The session is active again.
    Revive,
    /// The session id answers 404.
    Reject,
}

impl From<Return> for OnReturn {
    fn from(choice: Return) -> Self {
        match choice {
            Return::Revive => Self::Revive,
            Return::Reject => Self::Reject,
        }
    }
}
