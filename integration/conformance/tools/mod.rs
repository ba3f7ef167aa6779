//! The tools the suite calls, by what they do.
//!
//! | file | tools that |
//! |---|---|
//! | `content.rs` | return one kind of content each |
//! | `notifications.rs` | send something before they return |
//! | `callbacks.rs` | call the client back (sessions only) |
//! | `input.rs`, `input_with_state.rs` | ask for input in rounds (2026-07-28) |
//! | `tasks.rs`, `tasks_with_input.rs` | go on after the answer (extension Tasks) |
//! | `schemas.rs` | are about their input schema |
//!
//! The suite fixes the names and most of the texts. `tools/list` is sorted by name, and the suite
//! calls the first tool of the list without arguments: it has to put up with that.

#![expect(clippy::needless_pass_by_value, reason = "rmcp hands a tool its arguments by value")]

mod callbacks;
mod content;
mod input;
mod input_with_state;
mod notifications;
mod schemas;
mod tasks;
mod tasks_with_input;

use rmcp::{
    handler::server::tool::ToolRouter,
    model::{CallToolResult, ContentBlock},
};

use crate::server::ConformanceServer;

pub(crate) fn router() -> ToolRouter<ConformanceServer> {
    ConformanceServer::content_tools()
        + ConformanceServer::notification_tools()
        + ConformanceServer::callback_tools()
        + ConformanceServer::input_tools()
        + ConformanceServer::stateful_input_tools()
        + ConformanceServer::task_tools()
        + ConformanceServer::task_with_input_tools()
        + ConformanceServer::schema_tools()
}

/// A result of one text.
fn says(text: impl Into<String>) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}
