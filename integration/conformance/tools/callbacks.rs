//! Tools that call the client back and wait for its answer: sessions only.

use rmcp::{
    ErrorData,
    handler::server::wrapper::Parameters,
    model::{CallToolResult, ElicitRequestParams},
    schemars::{self, JsonSchema},
    service::ServiceError,
    tool, tool_router,
};
use serde::Deserialize;
use serde_json::json;

use super::says;
use crate::{
    rounds::{elicitation, sampling},
    server::{ConformanceServer, Context},
};

#[derive(Deserialize, JsonSchema)]
struct Sampling {
    /// The prompt for the client's model.
    prompt: String,
}

#[derive(Deserialize, JsonSchema)]
struct Elicitation {
    /// The message for the user.
    message: String,
}

#[tool_router(router = callback_tools, vis = "pub(super)")]
impl ConformanceServer {
    /// Asks the client's model.
    #[tool]
    async fn test_sampling(
        Parameters(Sampling { prompt }): Parameters<Sampling>,
        context: Context,
    ) -> Result<CallToolResult, ErrorData> {
        let reply = context.peer.create_message(sampling(&prompt, 100)).await.map_err(unanswered)?;
        let text = reply.message.content.first().and_then(|block| block.as_text());
        Ok(says(format!("LLM response: {}", text.map_or("", |text| &text.text))))
    }

    /// Asks the user for a name and an address.
    #[tool]
    async fn test_elicitation(
        Parameters(Elicitation { message }): Parameters<Elicitation>,
        context: Context,
    ) -> Result<CallToolResult, ErrorData> {
        let schema = json!({
            "type": "object",
            "properties": {
                "username": { "type": "string", "description": "User's response" },
                "email": { "type": "string", "description": "User's email address" },
            },
            "required": ["username", "email"],
        });
        elicit(&context, "User response", elicitation(&message, schema)).await
    }

    /// Asks the user with a form that has default values (SEP-1034).
    #[tool]
    async fn test_elicitation_sep1034_defaults(context: Context) -> Result<CallToolResult, ErrorData> {
        let states = ["active", "inactive", "pending"];
        let schema = json!({
            "type": "object",
            "properties": {
                "name": { "type": "string", "default": "John Doe" },
                "age": { "type": "integer", "default": 30 },
                "score": { "type": "number", "default": 95.5 },
                "status": { "type": "string", "enum": states, "default": "active" },
                "verified": { "type": "boolean", "default": true },
            },
        });
        elicit(&context, "Elicitation completed", elicitation("Please check", schema)).await
    }

    /// Asks the user to choose, in all five ways there are (SEP-1330).
    #[tool]
    async fn test_elicitation_sep1330_enums(context: Context) -> Result<CallToolResult, ErrorData> {
        let plain = ["option1", "option2", "option3"];
        let titled = json!([
            { "const": "value1", "title": "First" },
            { "const": "value2", "title": "Second" },
            { "const": "value3", "title": "Third" },
        ]);
        let schema = json!({
            "type": "object",
            "properties": {
                "untitledSingle": { "type": "string", "enum": plain },
                "titledSingle": { "type": "string", "oneOf": titled },
                "legacyEnum": {
                    "type": "string",
                    "enum": ["opt1", "opt2", "opt3"],
                    "enumNames": ["Option One", "Option Two", "Option Three"],
                },
                "untitledMulti": { "type": "array", "items": { "type": "string", "enum": plain } },
                "titledMulti": { "type": "array", "items": { "anyOf": titled } },
            },
        });
        elicit(&context, "Elicitation completed", elicitation("Please choose", schema)).await
    }
}

async fn elicit(context: &Context, prefix: &str, question: ElicitRequestParams) -> Result<CallToolResult, ErrorData> {
    let reply = context.peer.create_elicitation(question).await.map_err(unanswered)?;
    let (action, fields) = (json!(reply.action), json!(reply.content));
    Ok(says(format!("{prefix}: action={action}, content={fields}")))
}

fn unanswered(error: ServiceError) -> ErrorData {
    ErrorData::internal_error(format!("the client did not answer: {error}"), None)
}
