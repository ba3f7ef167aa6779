//! [`RedisStore`]: sessions that all replicas share, in one Redis 7 (or newer) server.
//!
//! | question | file |
//! |---|---|
//! | which keys there are | `keys.rs` |
//! | what a session's record looks like | `record.rs` |
//! | what a transition does | `lua/*.lua`, called through `scripts.rs` |
//! | how sessions, reconnects and sweeps use them | `sessions.rs`, `reconnect.rs`, `sweep.rs` |
//! | how the sessions of a shared inner service are kept | `inner.rs` |
//! | how streams are kept | `streams.rs` |
//! | how replicas write to each other | `inbox.rs` |
//! | how they know of each other | `presence.rs` |
//! | how they limit something together | `limiter.rs` |
//! | what happened to sessions, how that is written, and how a log that lost some is found out | `events.rs`, `entry.rs`, `witness.rs` |
//! | how many there are, and which | `survey.rs` |
//! | how replicas hear of changes | `bell.rs`; for `bus.rs` in the words of `news.rs`, for `events.rs` in those of `entry.rs` |
//! | which connection does what, and when it is replaced | `link.rs` (reads, gathered by `gather.rs`), `pool.rs` (transitions), `bell.rs` (one for each of the two channels) |
//! | what an error of Redis means | `failure.rs`; where something is set up wrongly, `misfit.rs` |
//! | what is checked before the first session | `builder.rs` |
//!
//! Each transition is one script, so it happens as a whole or not at all, by Redis's clock. Every key has a TTL.

mod adopt;
mod answer;
mod bell;
mod builder;
mod bus;
mod entry;
mod events;
mod failure;
mod gather;
mod inbox;
mod inner;
mod keys;
mod lifetimes;
mod limiter;
mod link;
mod misfit;
mod news;
mod pool;
mod presence;
mod reconnect;
mod record;
mod request;
mod scripts;
mod sessions;
mod streams;
mod survey;
mod sweep;
mod witness;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use deadpool_redis::redis::Client;

use self::bell::Bell;
use self::entry::Heard;
use self::gather::Gather;
use self::keys::Keys;
use self::link::Link;
use self::pool::{Connections, Lease};
use self::witness::Witness;
use super::{BusMessage, StoreError, StoreErrorKind};

pub use self::builder::RedisStoreBuilder;

/// Sessions in Redis, shared by all replicas that connect to it with the same prefix and number of shards.
///
/// Clones share their connections. Every operation answers within twice the response timeout (500 ms by default), with an
/// error if need be; what Redis cannot answer at the moment is [`Unavailable`](StoreErrorKind::Unavailable) or
/// [`Refused`](StoreErrorKind::Refused), and works again without a restart once Redis does.
///
/// A Redis that is full keeps what it has: sessions are used, revived, reconnected and ended, and limits hold; new sessions,
/// data and messages are refused.
///
/// A Redis user for it needs the keys `~mcp:*`, the channels `&mcp:bus` and `&mcp:bus:events` (`mcp` being the prefix) and the commands
/// `ping unwatch eval evalsha time publish subscribe get set del exists getrange setrange pttl pexpire zadd zrem zscore zcard zcount
/// zrange zrangebyscore hget hset hmget hgetall hkeys hsetnx hexists hstrlen hincrby hlen hdel rpush lpop llen lrange lindex ltrim xadd
/// xrange`; with `config|get` it can warn of an evicting policy, and for a database other than 0 it needs `select`.
#[derive(Clone)]
pub struct RedisStore {
    inner: Arc<Inner>,
}

struct Inner {
    keys: Keys,
    client: Client,
    connect_timeout: Duration,
    connections: Connections,
    reads: Arc<Gather>,
    bus: OnceLock<Bell<BusMessage>>,
    watch: OnceLock<Bell<Option<Heard>>>,
    witness: Arc<Witness>,
}

impl RedisStore {
    /// Connects with the default options; see [`builder`](Self::builder).
    ///
    /// # Errors
    ///
    /// See [`RedisStoreBuilder::connect`].
    pub async fn connect(url: impl Into<String>) -> Result<Self, StoreError> {
        Self::builder(url).connect().await
    }

    /// Options for a store at an address such as `redis://user:password@host:6379/0`. The address is a secret and never
    /// shown.
    #[must_use]
    pub fn builder(url: impl Into<String>) -> RedisStoreBuilder {
        RedisStoreBuilder::new(url.into())
    }

    fn keys(&self) -> &Keys {
        &self.inner.keys
    }

    fn link(&self) -> &Arc<Link> {
        &self.inner.connections.link
    }

    async fn lease(&self) -> Result<Lease<'_>, StoreError> {
        self.inner.connections.lease().await
    }

    fn patience(&self) -> Duration {
        self.inner.connections.patience
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("address", &self.inner.client.get_connection_info().addr().to_string())
            .field("prefix", &self.keys().prefix())
            .field("shards", &self.keys().shards().len())
            .finish_non_exhaustive()
    }
}
