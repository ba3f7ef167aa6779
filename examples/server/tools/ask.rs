//! `ask`: a question from the server to the person at the client.
//!
//! The eras do it differently. A legacy server *sends a request*, `elicitation/create`, on the stream of the call that
//! is waiting, and the client posts the answer. A modern server may send no requests: it *returns* what it needs
//! (`resultType: "input_required"`), and the client makes the call again with the answers in it. The arguments come
//! again too, so this tool has nothing to remember between the two rounds. Either way the answer is an
//! [`ElicitResult`], and from there on there is one path.

use rmcp::RoleServer;
use rmcp::model::{
    CallToolResponse, CallToolResult, ContentBlock, ElicitRequest, ElicitRequestParams, ElicitResult,
    ElicitationAction, ElicitationCapability, ElicitationSchema, InputRequest, InputRequests, InputRequiredResult,
    InputResponses, ProtocolVersion,
};
use rmcp::service::RequestContext;
use serde_json::Value;

/// The form's one field, and the name the question goes by in a modern call.
const ANSWER: &str = "answer";

/// A stateless rmcp forgets the handshake, so it never knows what a legacy client can do.
const CANNOT_ASK: &str = "this client cannot be asked: this server knows of no elicitation capability of it";

/// One round of asking: the answer if there is one by the end of it, else (modern) what is still needed.
pub async fn ask(
    question: String,
    answers: Option<InputResponses>,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, String> {
    if !client_can_answer(context) {
        return Err(CANNOT_ASK.to_owned());
    }
    let result = if !is_modern(context) {
        elicit(question, context).await?
    } else if let Some(answers) = answers {
        returned(answers)?
    } else {
        return Ok(InputRequiredResult::from_input_requests(needed(question)?).into());
    };
    let text = ContentBlock::text(answer_in(result)?);
    Ok(CallToolResult::success(vec![text]).into())
}

/// Whether the client declared that it shows forms (a bare `elicitation: {}` means forms).
fn client_can_answer(context: &RequestContext<RoleServer>) -> bool {
    let shows_forms = |elicitation: ElicitationCapability| elicitation.form.is_some() || elicitation.url.is_none();
    let declared = context.client_capabilities().and_then(|capabilities| capabilities.elicitation);
    declared.is_some_and(shows_forms)
}

fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    let version = context.protocol_version();
    version.is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}

/// Legacy: sends the question and waits for as long as the call lives.
async fn elicit(question: String, context: &RequestContext<RoleServer>) -> Result<ElicitResult, String> {
    tokio::select! {
        result = context.peer.create_elicitation(form(question)?) => {
            result.map_err(|error| format!("the question got no answer: {error}"))
        }
        () = context.ct.cancelled() => Err("the call was cancelled before the question was answered".to_owned()),
    }
}

/// Modern, first round: the request for an answer.
fn needed(question: String) -> Result<InputRequests, String> {
    let request = InputRequest::Elicitation(ElicitRequest::new(form(question)?));
    Ok(InputRequests::from([(ANSWER.to_owned(), request)]))
}

/// Modern, second round: the answer that came back with the call.
fn returned(mut answers: InputResponses) -> Result<ElicitResult, String> {
    let answer = answers.remove(ANSWER).ok_or("the call came back without the answer")?;
    serde_json::from_value(answer).map_err(|error| format!("the answer cannot be read: {error}"))
}

/// A form with one text field.
fn form(question: String) -> Result<ElicitRequestParams, String> {
    let schema = ElicitationSchema::builder().required_string(ANSWER).build();
    Ok(ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: question,
        requested_schema: schema.map_err(str::to_owned)?,
    })
}

/// What the person answered, or why there is nothing.
fn answer_in(result: ElicitResult) -> Result<String, String> {
    match result.action {
        ElicitationAction::Accept => {
            let answer = result.content.as_ref().and_then(|content| content.get(ANSWER)).and_then(Value::as_str);
            answer.map(str::to_owned).ok_or_else(|| "the question was accepted but the answer is missing".to_owned())
        }
        ElicitationAction::Decline => Err("the question was declined".to_owned()),
        ElicitationAction::Cancel => Err("the question was dismissed without an answer".to_owned()),
        // rmcp's enum is open for actions that later revisions may add.
        other => Err(format!("the client answered with an action this server does not know: {other:?}")),
    }
}
