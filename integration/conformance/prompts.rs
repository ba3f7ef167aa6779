//! The prompts the suite asks for.

use rmcp::{
    ErrorData,
    model::{
        CompleteResult, CompletionInfo, ContentBlock, GetPromptRequestParams, GetPromptResponse, GetPromptResult,
        Prompt, PromptArgument, PromptMessage, Role,
    },
};
use serde_json::Value;

use crate::{
    media,
    rounds::{ask, filled_in, form},
};

pub(crate) fn list() -> Vec<Prompt> {
    vec![
        prompt("test_simple_prompt", "One message.", &[]),
        prompt(
            "test_prompt_with_arguments",
            "A message that repeats its arguments.",
            &[("arg1", "First test argument"), ("arg2", "Second test argument")],
        ),
        prompt(
            "test_prompt_with_embedded_resource",
            "A message that holds a resource.",
            &[("resourceUri", "URI of the resource to embed")],
        ),
        prompt("test_prompt_with_image", "A message that holds a picture.", &[]),
        prompt("test_input_required_result_prompt", "Asks the user before it answers.", &[]),
    ]
}

fn prompt(name: &str, description: &str, arguments: &[(&str, &str)]) -> Prompt {
    let arguments = arguments
        .iter()
        .map(|&(name, about)| PromptArgument::new(name).with_description(about).with_required(true))
        .collect::<Vec<_>>();
    Prompt::new(name, Some(description), (!arguments.is_empty()).then_some(arguments))
}

pub(crate) fn get(request: &GetPromptRequestParams) -> Result<GetPromptResponse, ErrorData> {
    match request.name.as_str() {
        "test_simple_prompt" => Ok(says(["This is a simple prompt for testing."])),
        "test_prompt_with_arguments" => with_arguments(request),
        "test_prompt_with_embedded_resource" => with_embedded_resource(request),
        "test_prompt_with_image" => {
            Ok(messages([media::picture(), ContentBlock::text("Please analyze the image above.")]))
        }
        "test_input_required_result_prompt" => Ok(with_input(request)),
        unknown => Err(ErrorData::invalid_params(format!("no prompt named {unknown}"), None)),
    }
}

fn with_arguments(request: &GetPromptRequestParams) -> Result<GetPromptResponse, ErrorData> {
    let (arg1, arg2) = (argument(request, "arg1")?, argument(request, "arg2")?);
    Ok(says([format!("Prompt with arguments: arg1='{arg1}', arg2='{arg2}'")]))
}

fn with_embedded_resource(request: &GetPromptRequestParams) -> Result<GetPromptResponse, ErrorData> {
    let uri = argument(request, "resourceUri")?;
    Ok(messages([
        ContentBlock::embedded_text(uri, "Embedded resource content for testing."),
        ContentBlock::text("Please process the embedded resource above."),
    ]))
}

fn with_input(request: &GetPromptRequestParams) -> GetPromptResponse {
    let answers = request.input_responses.as_ref();
    if let Some(context) = filled_in::<&str>(answers, "user_context", "context") {
        return says([format!("Use this context: {context}")]);
    }
    let question = form("What context should the prompt use?", "context", "string");
    ask([("user_context", question)]).into()
}

/// Suggests values that begin like what was typed, for any argument of any prompt.
pub(crate) fn complete(typed: &str) -> Result<CompleteResult, ErrorData> {
    let values =
        ["paris", "park", "party"].into_iter().filter(|value| value.starts_with(typed)).map(str::to_owned).collect();
    CompletionInfo::with_all_values(values)
        .map(CompleteResult::new)
        .map_err(|reason| ErrorData::internal_error(reason, None))
}

fn argument<'a>(request: &'a GetPromptRequestParams, name: &str) -> Result<&'a str, ErrorData> {
    request
        .arguments
        .as_ref()
        .and_then(|arguments| arguments.get(name))
        .and_then(Value::as_str)
        .ok_or_else(|| ErrorData::invalid_params(format!("argument {name} is missing"), None))
}

fn says<const N: usize>(texts: [impl Into<String>; N]) -> GetPromptResponse {
    messages(texts.map(|text| ContentBlock::text(text)))
}

fn messages<const N: usize>(contents: [ContentBlock; N]) -> GetPromptResponse {
    let messages = contents.map(|content| PromptMessage::new(Role::User, content));
    GetPromptResult::new(messages.into()).into()
}
