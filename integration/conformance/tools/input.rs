//! Tools that ask for input once (SEP-2322).

use rmcp::{
    ErrorData,
    handler::server::tool::InputResponses,
    model::{CallToolResponse, CallToolResult, ClientCapabilities, InputRequest},
    tool, tool_router,
};

use super::says;
use crate::{
    rounds::{answer, ask, filled_in, form, roots, sample},
    server::{ConformanceServer, Context},
};

#[tool_router(router = input_tools, vis = "pub(super)")]
impl ConformanceServer {
    /// Asks the user for a name.
    #[tool]
    fn test_input_required_result_elicitation(InputResponses(answers): InputResponses) -> CallToolResponse {
        match filled_in::<&str>(answers.as_ref(), "user_name", "name") {
            Some(name) => says(format!("Hello, {name}!")).into(),
            None => ask([("user_name", ask_name())]).into(),
        }
    }

    /// Asks the user, on a response stream that must carry nothing but the question.
    #[tool]
    fn test_streaming_elicitation(answers: InputResponses) -> CallToolResponse {
        Self::test_input_required_result_elicitation(answers)
    }

    /// Asks the client's model.
    #[tool]
    fn test_input_required_result_sampling(InputResponses(answers): InputResponses) -> CallToolResponse {
        match answer(answers.as_ref(), "capital_question").and_then(|reply| reply.get("content")) {
            Some(reply) => says(format!("LLM response: {reply}")).into(),
            None => ask([("capital_question", sample("What is the capital of France?", 100))]).into(),
        }
    }

    /// Asks for the client's roots.
    #[tool]
    fn test_input_required_result_list_roots(InputResponses(answers): InputResponses) -> CallToolResponse {
        match answer(answers.as_ref(), "client_roots").and_then(|reply| reply.get("roots")) {
            Some(list) => says(format!("Roots: {list}")).into(),
            None => ask([("client_roots", roots())]).into(),
        }
    }

    /// Asks only what this client can answer.
    #[tool]
    fn test_input_required_result_capabilities(
        InputResponses(answers): InputResponses,
        context: Context,
    ) -> CallToolResponse {
        let client = context.client_capabilities().unwrap_or_default();
        let question = if client.sampling.is_some() {
            ("greeting", sample("Generate a greeting", 50))
        } else if client.elicitation.is_some() {
            ("user_name", ask_name())
        } else {
            return says("There is nobody to ask").into();
        };
        match answer(answers.as_ref(), question.0) {
            Some(_) => says("Input received").into(),
            None => ask([question]).into(),
        }
    }

    /// Needs a client that can sample, and says so.
    #[tool]
    fn test_missing_capability(context: Context) -> Result<CallToolResult, ErrorData> {
        if context.client_capabilities().is_some_and(|client| client.sampling.is_some()) {
            return Ok(says("The client can sample"));
        }
        let sampling = ClientCapabilities::builder().enable_sampling().build();
        Err(ErrorData::missing_required_client_capability(sampling))
    }
}

pub(super) fn ask_name() -> InputRequest {
    form("What is your name?", "name", "string")
}
