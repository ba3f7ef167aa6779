//! What a client hears of a note that was put, beside the answer to the call.
//!
//! None of it belongs to the call, so rmcp sends it on the session's listening stream (the client's GET), wherever that is.
#![expect(deprecated, reason = "2026-07-28 deprecates log messages; sessions of 2025 have them")]

use rmcp::RoleServer;
use rmcp::model::{LoggingLevel, LoggingMessageNotificationParam, ResourceUpdatedNotificationParam};
use rmcp::service::{Peer, ServiceError};
use serde_json::json;

use super::memory::Memory;
use super::notes::Written;
use super::resources::uri_of;

/// Tells it. The note is kept by now, whether the client listens or not.
pub async fn tell(name: &str, written: Written, memory: &Memory, client: &Peer<RoleServer>) {
    if let Err(error) = try_to_tell(name, written, memory, client).await {
        tracing::debug!(%error, "the client is not told of its note");
    }
}

async fn try_to_tell(
    name: &str,
    written: Written,
    memory: &Memory,
    client: &Peer<RoleServer>,
) -> Result<(), ServiceError> {
    if written == Written::Added {
        client.notify_resource_list_changed().await?;
    }
    if memory.is_subscribed(name) {
        client.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri_of(name))).await?;
    }
    if memory.logs_info() {
        let message = LoggingMessageNotificationParam::new(LoggingLevel::Info, json!({ "noted": name }));
        client.notify_logging_message(message.with_logger("notes")).await?;
    }
    Ok(())
}
