//! Shaping calls: what a client asks for once and means for the rest of its session. They are kept with the session, replayed
//! to inner services that learn of it later, and told to those that know it already.

use bytes::Bytes;

use crate::engine::Engine;
use crate::engine::inbox::Letter;
use crate::engine::outgoing::Speaker;
use crate::protocol::message::Method;
use crate::protocol::rewrite::{self, quoted};
use crate::store::{ReplicaId, Shaped, Shaping, StoreError};

/// Bytes of shaping calls a session may keep.
const LIMIT: usize = 256 << 10;
/// The id a shaping call is kept under. No client has called that.
const REPLAYED: &str = "tower-mcp-sessions/replay";

/// A kept call under an id of its own.
pub(super) fn numbered(call: &Bytes, number: usize) -> Bytes {
    rewrite::replace(call, rewrite::ID, &quoted(&format!("{REPLAYED}-{number}"))).unwrap_or_else(|| call.clone())
}

/// What a call means for the session if it succeeds; nothing for most.
pub(crate) fn shaping(replica: &ReplicaId, method: Method, call: &Bytes) -> Option<Shaping> {
    let resource = || rewrite::text(call, rewrite::URI);
    let (name, keeps) = match method {
        Method::SetLevel => ("level".to_owned(), true),
        Method::Subscribe => (format!("resource {}", resource()?), true),
        Method::Unsubscribe => (format!("resource {}", resource()?), false),
        Method::Initialize
        | Method::Initialized
        | Method::Ping
        | Method::ToolsList
        | Method::ToolsCall
        | Method::Cancelled
        | Method::Progress
        | Method::RootsChanged
        | Method::Other => return None,
    };
    let replay = rewrite::replace(call, rewrite::ID, &quoted(REPLAYED))?;
    let letter = Letter::to_all(replica, &replay)?;
    Some(Shaping { name, call: keeps.then_some(replay), letter })
}

impl Engine {
    /// Keeps a shaping call that succeeded, and tells the other replicas.
    pub(crate) async fn keep_shaping(&self, speaker: &Speaker, shaping: &Shaping) -> Result<Shaped, StoreError> {
        self.store.shape(&speaker.key, speaker.generation, shaping, LIMIT, &Self::INBOX).await
    }
}
