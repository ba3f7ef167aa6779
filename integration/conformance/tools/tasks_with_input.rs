//! Tasks that need input: while they run, or before they begin.

use rmcp::{
    ErrorData,
    handler::server::{tool::InputResponses, wrapper::Parameters},
    model::CallToolResponse,
    schemars::{self, JsonSchema},
    tool, tool_router,
};
use serde::Deserialize;

use super::{says, tasks::require_tasks};
use crate::{
    rounds::{ask, filled_in, form},
    server::{ConformanceServer, Context},
};

#[derive(Deserialize, JsonSchema)]
struct ConfirmDelete {
    /// What to delete.
    #[serde(default)]
    filename: String,
}

#[tool_router(router = task_with_input_tools, vis = "pub(super)")]
impl ConformanceServer {
    /// Asks before it deletes: within a task, or in rounds for clients without tasks.
    #[tool]
    fn confirm_delete(
        &self,
        Parameters(ConfirmDelete { filename }): Parameters<ConfirmDelete>,
        InputResponses(answers): InputResponses,
        context: Context,
    ) -> CallToolResponse {
        let question = form(&format!("Delete {filename}?"), "confirm", "boolean");
        let result = says(format!("Answer for {filename} received"));
        if require_tasks(&context).is_ok() {
            return self.spawn(|task| async move {
                task.request_input("confirm", question).await?;
                Ok(result)
            });
        }
        match filled_in::<bool>(answers.as_ref(), "confirm", "confirm") {
            Some(_) => result.into(),
            None => ask([("confirm", question)]).into(),
        }
    }

    /// A task that asks two questions at once.
    #[tool]
    fn multi_input(&self, context: Context) -> Result<CallToolResponse, ErrorData> {
        require_tasks(&context)?;
        Ok(self.spawn(|task| async move {
            tokio::try_join!(
                task.request_input("name", form("What is your name?", "name", "string")),
                task.request_input("confirm", form("Are you sure?", "confirm", "boolean")),
            )?;
            Ok(says("Both answers received"))
        }))
    }

    /// Asks in a round first and goes on as a task.
    #[tool]
    fn test_tool_with_task(
        &self,
        InputResponses(answers): InputResponses,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        require_tasks(&context)?;
        let Some(name) = filled_in::<&str>(answers.as_ref(), "user_name", "name") else {
            let question = form("What is your name?", "name", "string");
            return Ok(ask([("user_name", question)]).into());
        };
        let result = says(format!("Hello, {name}!"));
        Ok(self.spawn(|_| async { Ok(result) }))
    }
}
