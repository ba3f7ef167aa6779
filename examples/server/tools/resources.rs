//! Notes as MCP resources: `note://{name}`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rmcp::ErrorData;
use rmcp::model::{ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde_json::json;
use tower_mcp_sessions::{McpSession, SessionDataError};

use super::notes;
use super::session::data_error;

const SCHEME: &str = "note://";

/// What a URI template escapes: all but RFC 3986's unreserved characters.
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The session's notes; without a session there are none.
pub async fn list(session: Option<&McpSession>) -> Result<Vec<Resource>, ErrorData> {
    let Some(session) = session else { return Ok(Vec::new()) };
    let names = notes::names(session).await.map_err(|error| unreadable(&error))?;
    Ok(names.into_iter().map(|name| Resource::new(uri_of(&name), name).with_mime_type("text/plain")).collect())
}

/// How to name a note, for those who do not list them.
pub fn template() -> ResourceTemplate {
    ResourceTemplate::new(format!("{SCHEME}{{name}}"), "note")
        .with_description("A note of this session, kept by `note_put`.")
        .with_mime_type("text/plain")
}

/// A note's text.
pub async fn read(session: Option<&McpSession>, uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let name = name_in(uri)?;
    let session = session.ok_or_else(|| not_found(uri))?;
    let text = notes::get(session, &name).await.map_err(|error| unreadable(&error))?;
    let text = text.ok_or_else(|| not_found(uri))?;
    Ok(ReadResourceResult::new(vec![ResourceContents::text(text, uri)]))
}

/// The URI of a note.
pub fn uri_of(name: &str) -> String {
    format!("{SCHEME}{}", utf8_percent_encode(name, &RESERVED))
}

/// The name in a note's URI. There need not be such a note (yet).
pub fn name_in(uri: &str) -> Result<String, ErrorData> {
    let escaped = uri.strip_prefix(SCHEME).ok_or_else(|| not_found(uri))?;
    let name = percent_decode_str(escaped).decode_utf8().map_err(|_| not_found(uri))?;
    Ok(name.into_owned())
}

fn not_found(uri: &str) -> ErrorData {
    ErrorData::resource_not_found("there is no such note", Some(json!({ "uri": uri })))
}

fn unreadable(error: &SessionDataError) -> ErrorData {
    ErrorData::internal_error(data_error(error), None)
}
