//! Notes, kept in the session's data: `note/{name}` holds a note's text, and `notes` the names of them all.

use std::collections::BTreeSet;

use tokio::sync::Mutex;
use tower_mcp_sessions::{McpSession, SessionDataError};

/// Where the names are kept.
const NAMES: &str = "notes";

/// One new name at a time: a session's data has no "add to a list", so the list is read and written as a whole. That holds
/// for one replica. When two replicas take a new note of one session at the same moment, one of the names may be missing
/// from the list, until that note is put again; the note itself is there.
static ADDING: Mutex<()> = Mutex::const_new(());

/// What putting a note did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// A new one is listed.
    Added,
    /// A listed one has another text.
    Changed,
}

/// Keeps a note: first its text, then its name, so that every listed note can be read.
pub async fn put(session: &McpSession, name: &str, text: &str) -> Result<Written, SessionDataError> {
    session.insert(&kept_as(name), text).await?;
    if names(session).await?.contains(name) {
        return Ok(Written::Changed);
    }
    let _adding = ADDING.lock().await;
    let mut listed = names(session).await?;
    if !listed.insert(name.to_owned()) {
        return Ok(Written::Changed);
    }
    session.insert(NAMES, &listed).await?;
    Ok(Written::Added)
}

/// A note's text, if there is such a note.
pub async fn get(session: &McpSession, name: &str) -> Result<Option<String>, SessionDataError> {
    session.get(&kept_as(name)).await
}

/// The names of all notes.
pub async fn names(session: &McpSession) -> Result<BTreeSet<String>, SessionDataError> {
    Ok(session.get(NAMES).await?.unwrap_or_default())
}

fn kept_as(name: &str) -> String {
    format!("note/{name}")
}
