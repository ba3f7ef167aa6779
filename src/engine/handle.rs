//! [`McpSession`]: what a handler finds in the request's extensions.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::body::BoxError;
use crate::causes;
use crate::id::SessionKey;
use crate::protocol::version::ProtocolVersion;
use crate::session::{ClientInfo, Principal, SessionRecord};
use crate::store::{DataPut, DataRemoved, Store, StoreError};

/// The session a request belongs to, and data that lives in the store with it: any replica sees what another one kept.
///
/// Found in the request's extensions on every request of a session. An `initialize` that opens a session has none yet, and
/// modern requests (2026-07-28 and later) have no session.
///
/// ```
/// use tower_mcp_sessions::McpSession;
///
/// async fn remember(parts: &http::request::Parts) -> Result<u32, tower_mcp_sessions::SessionDataError> {
///     let session = parts.extensions.get::<McpSession>().expect("a request of a session");
///     let visits = session.get::<u32>("visits").await?.unwrap_or(0) + 1;
///     session.insert("visits", &visits).await?;
///     Ok(visits)
/// }
/// ```
///
/// With rmcp, a tool reaches the request's parts through its context:
/// `ctx.extensions.get::<http::request::Parts>()`, then `parts.extensions.get::<McpSession>()`.
#[derive(Clone)]
pub struct McpSession {
    record: Arc<SessionRecord>,
    store: Arc<dyn Store>,
    data_limit: usize,
}

/// In the extensions of a request that replays a session's handshake to an inner service that has not seen it: not a new
/// client, and its answer goes nowhere.
#[derive(Clone, Copy, Debug)]
pub struct Replayed;

impl McpSession {
    pub(crate) fn new(record: Arc<SessionRecord>, store: Arc<dyn Store>, data_limit: usize) -> Self {
        Self { record, store, data_limit }
    }

    /// The session's public name; fit for logs.
    #[must_use]
    pub fn key(&self) -> SessionKey {
        self.record.key
    }

    /// What the client called itself in its handshake.
    #[must_use]
    pub fn client(&self) -> &ClientInfo {
        &self.record.origin.client
    }

    /// Whose session it is, as `SessionLayerBuilder::principal` found out; `None` for an anonymous one.
    #[must_use]
    pub fn principal(&self) -> Option<&Principal> {
        self.record.origin.principal.as_ref()
    }

    /// The revision negotiated in the handshake.
    #[must_use]
    pub fn protocol_version(&self) -> ProtocolVersion {
        self.record.origin.protocol_version
    }

    /// A value kept with the session, or `None` if there is none by this name.
    ///
    /// # Errors
    ///
    /// If the store cannot say, or what it keeps is no `T`.
    pub async fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, SessionDataError> {
        let kept = self.store.data_get(&self.record.key, name).await?;
        kept.map(|json| serde_json::from_slice(&json).map_err(SessionDataError::codec)).transpose()
    }

    /// Keeps a value with the session, as JSON, for as long as the session lives. Replaces one of the same name.
    ///
    /// # Errors
    ///
    /// If the session's data would grow past its limit (64 KiB unless set by `SessionLayerBuilder::data_limit`), if the
    /// session has ended or has another holder than the one this request came from, or if the store refuses. Nothing has
    /// changed then, except where the store could not be reached.
    pub async fn insert<T: Serialize + Sync + ?Sized>(&self, name: &str, value: &T) -> Result<(), SessionDataError> {
        let json = serde_json::to_vec(value).map_err(SessionDataError::codec)?;
        let SessionRecord { key, generation, .. } = &*self.record;
        match self.store.data_put(key, *generation, name, json.into(), self.data_limit).await? {
            DataPut::Stored => Ok(()),
            DataPut::TooLarge => Err(SessionDataError(Kind::TooLarge { limit: self.data_limit })),
            DataPut::Superseded => Err(SessionDataError(Kind::Superseded)),
            DataPut::Gone => Err(SessionDataError(Kind::Ended)),
        }
    }

    /// Forgets a value; `true` if there was one.
    ///
    /// # Errors
    ///
    /// If the session has ended or has another holder than the one this request came from, or if the store cannot be reached.
    pub async fn remove(&self, name: &str) -> Result<bool, SessionDataError> {
        let SessionRecord { key, generation, .. } = &*self.record;
        match self.store.data_remove(key, *generation, name).await? {
            DataRemoved::Removed => Ok(true),
            DataRemoved::Nothing => Ok(false),
            DataRemoved::Superseded => Err(SessionDataError(Kind::Superseded)),
            DataRemoved::Gone => Err(SessionDataError(Kind::Ended)),
        }
    }
}

impl fmt::Debug for McpSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpSession").field("key", &self.record.key).finish_non_exhaustive()
    }
}

/// Why a session's data could not be read or kept. `Debug` reads like `Display`, with all causes.
pub struct SessionDataError(Kind);

enum Kind {
    TooLarge { limit: usize },
    Ended,
    Superseded,
    Codec(BoxError),
    Store(StoreError),
}

impl SessionDataError {
    fn codec(error: serde_json::Error) -> Self {
        Self(Kind::Codec(error.into()))
    }

    /// The session's data would have grown past its limit.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(self.0, Kind::TooLarge { .. })
    }

    /// The session has ended.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self.0, Kind::Ended)
    }

    /// The session was reconnected since: its data is another holder's to change.
    #[must_use]
    pub fn is_superseded(&self) -> bool {
        matches!(self.0, Kind::Superseded)
    }
}

impl From<StoreError> for SessionDataError {
    fn from(error: StoreError) -> Self {
        Self(Kind::Store(error))
    }
}

impl fmt::Display for SessionDataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::TooLarge { limit } => write!(f, "the session's data would grow past its limit of {limit} bytes"),
            Kind::Ended => f.write_str("the session has ended"),
            Kind::Superseded => {
                f.write_str("the session was reconnected since this request came; its data is its new holder's")
            }
            Kind::Codec(_) => f.write_str("the value kept with the session is of another type"),
            Kind::Store(error) => error.fmt(f),
        }
    }
}

impl fmt::Debug for SessionDataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        causes::write(f, self)
    }
}

impl std::error::Error for SessionDataError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Kind::Codec(error) => Some(error.as_ref()),
            Kind::Store(error) => std::error::Error::source(error),
            Kind::TooLarge { .. } | Kind::Ended | Kind::Superseded => None,
        }
    }
}
