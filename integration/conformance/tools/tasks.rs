//! Tools that go on after the answer (SEP-2663, extension Tasks).
//!
//! A client that knows the extension gets a task id at once and asks for the result later. The
//! tasks live in the memory of one process.

use std::time::Duration;

use rmcp::{
    ErrorData,
    handler::server::wrapper::Parameters,
    model::{CallToolResponse, CallToolResult, ClientCapabilities, ContentBlock, CreateTaskResult},
    schemars::{self, JsonSchema},
    task_manager::{TaskContext, TaskExit, TaskOptions},
    tool, tool_router,
};
use serde::Deserialize;

use super::says;
use crate::server::{ConformanceServer, Context};

#[derive(Deserialize, JsonSchema)]
struct SlowCompute {
    /// How long to compute.
    seconds: f64,
    /// What to call the result.
    #[serde(default)]
    label: String,
}

#[tool_router(router = task_tools, vis = "pub(super)")]
impl ConformanceServer {
    /// Computes for a while: as a task, or in place for clients without tasks.
    #[tool]
    async fn slow_compute(
        &self,
        Parameters(SlowCompute { seconds, label }): Parameters<SlowCompute>,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        let time =
            Duration::try_from_secs_f64(seconds).map_err(|error| ErrorData::invalid_params(error.to_string(), None))?;
        let result = says(format!("Computed {label} in {seconds} s"));
        if require_tasks(&context).is_err() {
            tokio::time::sleep(time).await;
            return Ok(result.into());
        }
        Ok(self.spawn(|task| async move {
            tokio::select! {
                () = tokio::time::sleep(time) => Ok(result),
                () = task.cancelled() => Err(TaskExit::Cancelled),
            }
        }))
    }

    /// A task in which the tool fails.
    #[tool]
    fn failing_job(&self, context: Context) -> Result<CallToolResponse, ErrorData> {
        require_tasks(&context)?;
        Ok(self.spawn(|_| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(CallToolResult::error(vec![ContentBlock::text("The job failed")]))
        }))
    }

    /// A task in which the protocol fails.
    #[tool]
    fn protocol_error_job(&self, context: Context) -> Result<CallToolResponse, ErrorData> {
        require_tasks(&context)?;
        let error = ErrorData::internal_error("the job could not be run", None);
        Ok(self.spawn(|_| async { Err(TaskExit::Error(error)) }))
    }
}

impl ConformanceServer {
    /// Starts a task and answers with its id.
    pub(super) fn spawn<F>(&self, job: impl FnOnce(TaskContext) -> F) -> CallToolResponse
    where
        F: Future<Output = Result<CallToolResult, TaskExit>> + Send + 'static,
    {
        let task = self.shared.tasks.spawn(TaskOptions::new(), |context| Box::pin(job(context)));
        CreateTaskResult::new(task).into()
    }
}

/// Refuses a client that has not declared the extension Tasks.
pub(super) fn require_tasks(context: &Context) -> Result<(), ErrorData> {
    if context.client_capabilities().is_some_and(|client| client.supports_tasks()) {
        return Ok(());
    }
    let tasks = ClientCapabilities::builder().enable_tasks().build();
    Err(ErrorData::missing_required_client_capability(tasks))
}
