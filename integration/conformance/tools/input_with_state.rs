//! Tools that ask for input and get their own state back with it (SEP-2322).

use rmcp::{
    ErrorData,
    handler::server::tool::{InputResponses, RequestState},
    model::{CallToolResponse, InputRequest},
    tool, tool_router,
};
use serde::{Deserialize, Serialize};

use super::{input::ask_name, says};
use crate::{
    rounds::{answer, ask_with_state, filled_in, form, roots, sample},
    server::ConformanceServer,
};

/// Where a conversation of several rounds stands.
#[derive(Serialize, Deserialize)]
enum Step {
    Name,
    Color { name: String },
}

impl Step {
    /// The step after the user gave a name, or did not.
    fn after(self, name: Option<String>) -> Self {
        match (self, name) {
            (Self::Name, Some(name)) => Self::Color { name },
            (step, _) => step,
        }
    }

    fn question(&self) -> (&'static str, InputRequest) {
        let (key, message, field) = match self {
            Self::Name => ("step1", "Step 1: What is your name?", "name"),
            Self::Color { .. } => ("step2", "Step 2: What is your favorite color?", "color"),
        };
        (key, form(message, field, "string"))
    }
}

#[tool_router(router = stateful_input_tools, vis = "pub(super)")]
impl ConformanceServer {
    /// Asks the user, the model and for the roots at once.
    #[tool]
    fn test_input_required_result_multiple_inputs(
        &self,
        InputResponses(answers): InputResponses,
        RequestState(state): RequestState,
    ) -> Result<CallToolResponse, ErrorData> {
        const TOOL: &str = "test_input_required_result_multiple_inputs";
        if let Some(state) = state {
            let () = self.shared.seal.open(TOOL, &state)?;
            let name = filled_in::<&str>(answers.as_ref(), "user_name", "name");
            let greeting = answer(answers.as_ref(), "greeting");
            let roots = answer(answers.as_ref(), "client_roots");
            if let (Some(name), Some(_), Some(_)) = (name, greeting, roots) {
                return Ok(says(format!("All inputs received from {name}")).into());
            }
        }
        let questions =
            [("user_name", ask_name()), ("greeting", sample("Generate a greeting", 50)), ("client_roots", roots())];
        Ok(ask_with_state(questions, self.shared.seal.close(TOOL, &())?).into())
    }

    /// Asks for a confirmation and gets its state back.
    #[tool]
    fn test_input_required_result_request_state(
        &self,
        answers: InputResponses,
        state: RequestState,
    ) -> Result<CallToolResponse, ErrorData> {
        self.confirm("test_input_required_result_request_state", answers, state)
    }

    /// Asks for a confirmation and refuses state that somebody else has made.
    #[tool]
    fn test_input_required_result_tampered_state(
        &self,
        answers: InputResponses,
        state: RequestState,
    ) -> Result<CallToolResponse, ErrorData> {
        self.confirm("test_input_required_result_tampered_state", answers, state)
    }

    /// Asks two questions, one after the other.
    #[tool]
    fn test_input_required_result_multi_round(
        &self,
        InputResponses(answers): InputResponses,
        RequestState(state): RequestState,
    ) -> Result<CallToolResponse, ErrorData> {
        const TOOL: &str = "test_input_required_result_multi_round";
        let given = |key, field| filled_in::<String>(answers.as_ref(), key, field);
        let step = match state {
            None => Step::Name,
            Some(state) => self.shared.seal.open::<Step>(TOOL, &state)?.after(given("step1", "name")),
        };
        if let (Step::Color { name }, Some(color)) = (&step, given("step2", "color")) {
            return Ok(says(format!("{name} likes {color}")).into());
        }
        Ok(ask_with_state([step.question()], self.shared.seal.close(TOOL, &step)?).into())
    }
}

impl ConformanceServer {
    /// Two rounds with sealed state: the question, and "state-ok" once state and answer are back.
    fn confirm(
        &self,
        tool: &str,
        InputResponses(answers): InputResponses,
        RequestState(state): RequestState,
    ) -> Result<CallToolResponse, ErrorData> {
        if let Some(state) = state {
            let () = self.shared.seal.open(tool, &state)?;
            if filled_in::<bool>(answers.as_ref(), "confirm", "ok").is_some() {
                return Ok(says("state-ok").into());
            }
        }
        let question = form("Please confirm", "ok", "boolean");
        Ok(ask_with_state([("confirm", question)], self.shared.seal.close(tool, &())?).into())
    }
}
