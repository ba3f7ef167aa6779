//! Reading the answer to a request: one JSON object, or the one in an event stream that has its id.

use reqwest::{Response, header};
use serde_json::Value;

use super::Failure;
use super::stream::Events;

/// The result in an answer, which must be the answer to the request `id`.
pub async fn result_of(response: Response, id: u64) -> Result<Value, Failure> {
    let response = successful(response).await?;
    let mut message = match is_stream(&response) {
        true => answer_in(Events::of(response)).await?,
        false => response.json().await.map_err(|error| not_json(&error))?,
    };
    if message["id"] != id {
        return Err(Failure::Crossed);
    }
    if let Some(error) = message.get("error") {
        let text = error["message"].as_str().unwrap_or_default();
        return Err(Failure::Rpc(error["code"].as_i64().unwrap_or_default(), text.to_owned()));
    }
    match message.get_mut("result") {
        Some(result) => Ok(result.take()),
        None => Err(Failure::NotMcp("neither a result nor an error".to_owned())),
    }
}

/// The response if its status says success; else what the server says about it.
pub async fn successful(response: Response) -> Result<Response, Failure> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    Err(Failure::Status(status, said(response).await))
}

fn not_json(error: &reqwest::Error) -> Failure {
    match error.is_decode() {
        true => Failure::NotMcp("the answer is not JSON".to_owned()),
        false => Failure::Broken(error.to_string()),
    }
}

/// What a refusal says in words.
async fn said(response: Response) -> String {
    let body = response.text().await.unwrap_or_default();
    let parsed: Value = serde_json::from_str(&body).unwrap_or_default();
    let text = parsed["error"]["message"].as_str().or_else(|| parsed["error"].as_str());
    text.map(ToOwned::to_owned).unwrap_or(body)
}

fn is_stream(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/event-stream"))
}

/// The first message that answers something. What the server says before is not for a client as simple as this one.
async fn answer_in(mut events: Events) -> Result<Value, Failure> {
    while let Some(event) = events.next().await? {
        if let Some(message) = event.message.filter(|message| message.get("method").is_none()) {
            return Ok(message);
        }
    }
    Err(Failure::Broken("the stream ended before the answer".to_owned()))
}
