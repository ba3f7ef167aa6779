//! [`RedisStoreBuilder`]: options, and what is checked before the first session.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use deadpool_redis::redis::io::tcp::TcpSettings;
use deadpool_redis::redis::{self, AsyncConnectionConfig, Client, ConnectionInfo, IntoConnectionInfo, RedisResult};
use deadpool_redis::{Manager, Pool, Runtime};

use super::failure::store_error;
use super::keys::Keys;
use super::link::{Dialer, Link};
use super::pool::Connections;
use super::scripts::{self, Call};
use super::witness::Witness;
use super::{Inner, RedisStore, StoreError, StoreErrorKind};
use crate::store::Presence;
use crate::telemetry::text::escaped;

/// Options of a [`RedisStore`].
///
/// ```no_run
/// # async fn example() -> Result<(), tower_mcp_sessions::store::StoreError> {
/// use tower_mcp_sessions::store::RedisStore;
///
/// let store = RedisStore::builder("redis://127.0.0.1/").prefix("billing-mcp").connect().await?;
/// # drop(store);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisStoreBuilder {
    url: String,
    prefix: String,
    shards: u16,
    connect_timeout: Duration,
    response_timeout: Duration,
    pool_size: usize,
}

impl RedisStoreBuilder {
    const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(60);
    /// Commands that may wait for their turn on the held connection.
    const QUEUE: usize = 1024;

    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            prefix: "mcp".to_owned(),
            shards: 1,
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_millis(250),
            pool_size: 16,
        }
    }

    /// What all keys and the bus channel begin with; tells deployments in one Redis apart. Visible ASCII without braces, at
    /// most 64 characters. Default: `mcp`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Over how many hash tags sessions are spread, 1 to 64. The same on all replicas, and not to be changed while sessions
    /// live. Default: 1.
    #[must_use]
    pub fn shards(mut self, shards: u16) -> Self {
        self.shards = shards;
        self
    }

    /// How long making a connection may take, 1 ms to 60 s. Default: 1 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long Redis may take to answer, 1 ms to 60 s; an operation as a whole takes at most twice that. Default: 250 ms.
    #[must_use]
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// How many connections transitions may use at once, beside the two for reads and for the bus. Default: 16.
    #[must_use]
    pub fn pool_size(mut self, connections: usize) -> Self {
        self.pool_size = connections;
        self
    }

    /// Connects, and makes sure that the server takes writes and runs scripts. Warns if it would evict sessions.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](StoreErrorKind::Misconfigured) if the address or an option makes no sense, the credentials are
    /// wrong or allow too little, there is no database of the address's number, the sessions under the prefix lie in another
    /// number of shards, or the server is older than Redis 7.0: the text says which, and what to do;
    /// [`Unavailable`](StoreErrorKind::Unavailable) if it cannot be reached; [`Refused`](StoreErrorKind::Refused) if it does not take writes.
    pub async fn connect(self) -> Result<RedisStore, StoreError> {
        let address =
            self.connection_info().map_or_else(|_| "the given address".into(), |info| info.addr().to_string());
        self.try_to_connect().await.map_err(|error| error.at(address))
    }

    async fn try_to_connect(self) -> Result<RedisStore, StoreError> {
        self.check()?;
        let store = self.build().map_err(store_error)?;
        store.link().ready(self.connect_timeout + self.response_timeout).await?;
        store.probe(self.connect_timeout + self.response_timeout).await?;
        store.warn_if_evicting().await;
        store.refuse_other_shards().await?;
        Ok(store)
    }

    fn check(&self) -> Result<(), StoreError> {
        let wrong = |what: &'static str| Err(StoreError::new(StoreErrorKind::Misconfigured, what));
        match () {
            () if !Keys::is_prefix(&self.prefix) => {
                wrong("the prefix must be 1 to 64 visible ASCII characters, no braces")
            }
            () if !(1..=Keys::MAX_SHARDS).contains(&self.shards) => wrong("there must be 1 to 64 shards"),
            () if self.pool_size == 0 => wrong("the pool must have room for a connection"),
            () if ![self.connect_timeout, self.response_timeout]
                .iter()
                .all(|timeout| Self::TIMEOUTS.contains(timeout)) =>
            {
                wrong("a timeout must be 1 ms to 60 s")
            }
            () => Ok(()),
        }
    }

    fn build(&self) -> RedisResult<RedisStore> {
        let info = self.connection_info()?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(Some(self.response_timeout))
            .set_pipeline_buffer_size(Self::QUEUE);
        let keys = Keys::new(self.prefix.clone(), self.shards);
        let client = Client::open(info.clone())?;
        let patience = self.response_timeout * 2;
        let dialer = Dialer { client: client.clone(), config: config.clone(), probe: keys.probe() };
        let pool = Pool::builder(Manager::new_with_config(info, config)?)
            .max_size(self.pool_size)
            .wait_timeout(Some(self.response_timeout))
            .create_timeout(Some(self.connect_timeout))
            .recycle_timeout(Some(self.response_timeout))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|_| (redis::ErrorKind::InvalidClientConfig, "the pool has no runtime for its timeouts"))?;
        let connections = Connections { pool, link: Link::new(dialer, patience), patience };
        let inner = Inner {
            keys,
            client,
            connect_timeout: self.connect_timeout,
            connections,
            reads: Arc::default(),
            bus: OnceLock::new(),
            watch: OnceLock::new(),
            witness: Witness::of_nothing(usize::from(self.shards)).into(),
        };
        Ok(RedisStore { inner: inner.into() })
    }

    /// Without the name of the client library, which would cost each new connection a round trip.
    fn connection_info(&self) -> RedisResult<ConnectionInfo> {
        let info = self.url.as_str().into_connection_info()?;
        let settings = info.redis_settings().clone().set_skip_set_lib_name();
        Ok(info.set_redis_settings(settings).set_tcp_settings(TcpSettings::default().set_nodelay(true)))
    }
}

impl RedisStore {
    /// A script that writes and publishes: a demoted primary answers everything else.
    async fn probe(&self, patience: Duration) -> Result<(), StoreError> {
        let call = Call::new(&scripts::PROBE, self.keys(), 0, &[]);
        let mut lease = self.inner.connections.lease_for(patience).await?;
        lease.ask::<u64>(&call).await.map(|_| ())
    }

    /// Whatever else is wrong shows itself when it matters.
    async fn refuse_other_shards(&self) -> Result<(), StoreError> {
        const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
        match self.declare(&[], A_DAY).await {
            Err(error) if error.kind() == StoreErrorKind::Misconfigured => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn warn_if_evicting(&self) {
        let mut question = redis::cmd("CONFIG");
        question.arg("GET").arg("maxmemory-policy");
        let Ok((_, policy)) = self.link().ask::<(String, String)>(&question).await else { return };
        if policy != "noeviction" {
            tracing::warn!(
                policy = &*escaped(&policy),
                "redis drops sessions when it is full; set maxmemory-policy to noeviction"
            );
        }
    }
}

impl fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStoreBuilder")
            .field("prefix", &self.prefix)
            .field("shards", &self.shards)
            .field("pool_size", &self.pool_size)
            .finish_non_exhaustive()
    }
}
