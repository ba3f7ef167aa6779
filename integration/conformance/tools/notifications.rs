//! Tools that send something before they return.

use std::time::Duration;

use rmcp::{
    model::{CallToolResult, LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam},
    service::ServiceError,
    tool, tool_router,
};
use tokio::time::sleep;

use super::says;
use crate::{
    changes::Change,
    server::{ConformanceServer, Context},
};

/// Between two messages, so that they arrive one by one.
const PAUSE: Duration = Duration::from_millis(50);

#[tool_router(router = notification_tools, vis = "pub(super)")]
impl ConformanceServer {
    /// Logs three messages while it runs.
    #[tool]
    async fn test_tool_with_logging(&self, context: Context) -> CallToolResult {
        self.log(&context, "Tool execution started").await;
        sleep(PAUSE).await;
        self.log(&context, "Tool processing data").await;
        sleep(PAUSE).await;
        self.log(&context, "Tool execution completed").await;
        says("Tool with logging executed successfully")
    }

    /// Logs a message, unless the caller did not ask for any.
    #[tool]
    async fn test_logging_tool(&self, context: Context) -> CallToolResult {
        self.log(&context, "Logging tool called").await;
        says("Logging tool executed successfully")
    }

    /// Reports progress, if the caller wants to know.
    #[tool]
    async fn test_tool_with_progress(context: Context) -> CallToolResult {
        report(&context, 0.0).await;
        sleep(PAUSE).await;
        report(&context, 50.0).await;
        sleep(PAUSE).await;
        report(&context, 100.0).await;
        says("Tool with progress executed successfully")
    }

    /// Tells listeners that the list of tools has changed.
    #[tool]
    fn test_trigger_tool_change(&self) -> CallToolResult {
        self.shared.changes.announce(Change::Tools);
        says("Tool list change announced")
    }

    /// Tells listeners that the list of prompts has changed.
    #[tool]
    fn test_trigger_prompt_change(&self) -> CallToolResult {
        self.shared.changes.announce(Change::Prompts);
        says("Prompt list change announced")
    }
}

impl ConformanceServer {
    /// Sends a log message of level info to a caller that wants those.
    async fn log(&self, context: &Context, text: &str) {
        let level = LoggingLevel::Info;
        if self.log_level(context).is_some_and(|least| level as u8 >= least as u8) {
            let message = LoggingMessageNotificationParam::new(level, text.into());
            note_if_lost(context.peer.notify_logging_message(message).await);
        }
    }
}

async fn report(context: &Context, percent: f64) {
    if let Some(token) = context.meta.get_progress_token() {
        let progress = ProgressNotificationParam::new(token, percent).with_total(100.0);
        note_if_lost(context.peer.notify_progress(progress).await);
    }
}

/// A notification that cannot be sent does not stop the tool, but is worth a line.
fn note_if_lost(sent: Result<(), ServiceError>) {
    if let Err(error) = sent {
        eprintln!("notification lost: {error}");
    }
}
