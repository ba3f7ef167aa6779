//! What stands between the client and the inner service.

use std::fmt;

use tower_mcp_sessions::store::{MemoryStore, RedisStore};
use tower_mcp_sessions::{Freshness, SessionLayer};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// Nothing.
    Bare,
    /// The layer, with sessions in memory.
    Memory,
    /// The layer as it comes, with sessions in Redis.
    Cached,
    /// The same, asking Redis every time.
    Strict,
}

impl Setup {
    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Memory => "memory",
            Self::Cached => "cached",
            Self::Strict => "strict",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        [Self::Bare, Self::Memory, Self::Cached, Self::Strict].into_iter().find(|setup| setup.name() == name)
    }

    pub fn needs_redis(self) -> bool {
        matches!(self, Self::Cached | Self::Strict)
    }

    /// How often a request of a known session asks Redis.
    pub fn trips_per_request(self) -> u64 {
        u64::from(self == Self::Strict)
    }

    pub async fn sessions(self, redis: &str) -> Option<SessionLayer> {
        let builder = match self {
            Self::Bare => return None,
            Self::Memory => SessionLayer::builder(MemoryStore::new()),
            Self::Cached | Self::Strict => {
                SessionLayer::builder(RedisStore::connect(redis).await.expect("the private Redis answers"))
            }
        };
        let freshness = if self == Self::Strict { Freshness::Strict } else { Freshness::Cached };
        Some(builder.freshness(freshness).build())
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
