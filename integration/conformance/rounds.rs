//! Asking the client for input (SEP-2322).
//!
//! From 2026-07-28 on a server cannot call the client. It answers "input required" with named
//! questions, and the client sends its request again with the answers. What the server must
//! remember in between travels with the client as `requestState`, so it is sealed.

use rmcp::{
    ErrorData,
    model::{
        CreateMessageRequest, CreateMessageRequestParams, ElicitRequest, ElicitRequestParams, InputRequest,
        InputRequiredResult, InputResponses, ListRootsRequest, RequestStateCodec, Role, SamplingMessage,
        SamplingMessageContentBlock, SealOptions,
    },
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

/// The same in every replica, as a round may end on another one than it began on. It guards
/// nothing but a test.
const KEY: &[u8; 32] = b"conformance tests keep no secret";

/// Seals what must come back from the client unchanged.
pub(crate) struct Seal(RequestStateCodec);

impl Seal {
    pub(crate) fn new() -> Self {
        Self(RequestStateCodec::new_unchecked(*KEY))
    }

    /// Seals `state` for the tool that will open it.
    pub(crate) fn close(&self, tool: &str, state: &impl Serialize) -> Result<String, ErrorData> {
        self.0
            .seal_json_with(state, &SealOptions::new().associated_data(tool.as_bytes()))
            .map_err(|error| ErrorData::internal_error(error.to_string(), None))
    }

    /// Opens what `close` sealed for the same tool, and refuses everything else.
    pub(crate) fn open<T: DeserializeOwned>(&self, tool: &str, sealed: &str) -> Result<T, ErrorData> {
        self.0
            .open_json_with(sealed, tool.as_bytes())
            .map_err(|_| ErrorData::invalid_params("requestState is not what was sent", None))
    }
}

/// The answer "input required" with these questions.
pub(crate) fn ask<const N: usize>(questions: [(&str, InputRequest); N]) -> InputRequiredResult {
    let questions = questions.map(|(key, question)| (key.to_owned(), question));
    InputRequiredResult::from_input_requests(questions.into())
}

/// The same, with state that comes back with the answers.
pub(crate) fn ask_with_state<const N: usize>(
    questions: [(&str, InputRequest); N],
    state: String,
) -> InputRequiredResult {
    let mut result = ask(questions);
    result.request_state = Some(state);
    result
}

/// A question for the user: fill in one required field.
pub(crate) fn form(message: &str, field: &str, kind: &str) -> InputRequest {
    let mut properties = Map::new();
    properties.insert(field.to_owned(), json!({ "type": kind }));
    let schema = json!({ "type": "object", "properties": properties, "required": [field] });
    InputRequest::Elicitation(ElicitRequest::new(elicitation(message, schema)))
}

/// A question for the client's model.
pub(crate) fn sample(prompt: &str, max_tokens: u32) -> InputRequest {
    InputRequest::CreateMessage(CreateMessageRequest::new(sampling(prompt, max_tokens)))
}

/// A question for the client's roots.
pub(crate) fn roots() -> InputRequest {
    InputRequest::ListRoots(ListRootsRequest::default())
}

/// Parameters of `elicitation/create`.
///
/// # Panics
///
/// If `schema` is not one that MCP allows in a form. All of them are literals of this crate.
pub(crate) fn elicitation(message: &str, schema: Value) -> ElicitRequestParams {
    ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: message.to_owned(),
        requested_schema: serde_json::from_value(schema).expect("a form schema"),
    }
}

/// Parameters of `sampling/createMessage` with a single message of the user.
pub(crate) fn sampling(prompt: &str, max_tokens: u32) -> CreateMessageRequestParams {
    let message = SamplingMessage::new(Role::User, SamplingMessageContentBlock::text(prompt));
    CreateMessageRequestParams::new(vec![message], max_tokens)
}

/// The answer to question `key`, unless it is missing or no object.
pub(crate) fn answer<'a>(answers: Option<&'a InputResponses>, key: &str) -> Option<&'a Map<String, Value>> {
    answers?.get(key)?.as_object()
}

/// What the user put in `field` of form `key`, unless it is of another type or the form was
/// declined.
pub(crate) fn filled_in<'a, T: Deserialize<'a>>(
    answers: Option<&'a InputResponses>,
    key: &str,
    field: &str,
) -> Option<T> {
    let form = answer(answers, key)?;
    if form.get("action")? != "accept" {
        return None;
    }
    T::deserialize(form.get("content")?.get(field)?).ok()
}
