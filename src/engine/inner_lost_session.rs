//! *Does the inner service still know its own session?* What an answer says of that, and how a `ping` settles it.
//!
//! MCP says 404. Many servers say it by a 400 or a 401 whose text speaks of a session, and a tool's own error may speak of one
//! as well. So an answer is only suspect; nothing is sent twice before a `ping` has been asked back.

#[cfg(test)]
mod answers;

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response, StatusCode, header};
use serde_json::Value;
use tokio::time::timeout;

use crate::body::ResponseBody;
use crate::protocol::headers;
use crate::protocol::message::{self, Kind, RequestId};
use crate::stream::peek::peek;

/// How long a ping may take, and whoever waits for what another's found.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Longest body that is looked into.
const LIMIT: usize = 64 << 10;

/// What servers say whose session is gone, in lower case, `mcp-session-id` written as `session id`.
const KNOWN_TEXTS: [&str; 14] = [
    "server not initialized",
    "session not initialized",
    "session not found",
    "session id not found",
    "no valid session",
    "unknown session",
    "invalid session",
    "invalid or missing session",
    "missing or invalid session",
    "expired session",
    "session expired",
    "session has expired",
    "session terminated",
    "session has been terminated",
];

/// What an answer says of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// That it is gone.
    Lost,
    /// Nothing: it answers what was asked.
    Answer,
}

/// An answer of the inner service's, as far as it may speak of the session.
pub(crate) struct InnerAnswer<'a> {
    pub(crate) status: StatusCode,
    /// It has a `WWW-Authenticate`: it speaks of a login.
    pub(crate) has_challenge: bool,
    pub(crate) body: &'a [u8],
}

/// Judges an answer. `own_id` is the id of the request that was asked, if it has one.
pub(crate) fn verdict(answer: &InnerAnswer<'_>, own_id: Option<&RequestId>) -> Verdict {
    let is_lost = match answer.status {
        StatusCode::NOT_FOUND => !is_unknown_method(answer.body, own_id),
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            !answer.has_challenge && text_without_id(answer.body).is_some_and(|text| is_known(&text))
        }
        _ => false,
    };
    if is_lost { Verdict::Lost } else { Verdict::Answer }
}

/// A JSON-RPC "Method not found" for the very request: some servers give it the status 404.
fn is_unknown_method(body: &[u8], own_id: Option<&RequestId>) -> bool {
    const METHOD_NOT_FOUND: i64 = -32601;
    let (Some(own_id), Ok(error)) = (own_id, serde_json::from_slice::<Value>(body)) else { return false };
    code(&error) == Some(METHOD_NOT_FOUND) && is_same(own_id, &error["id"])
}

fn code(error: &Value) -> Option<i64> {
    error["error"]["code"].as_i64()
}

/// Ids are the same if they are the same JSON value: `7` is `7.0`, and not `"7"`.
fn is_same(own_id: &RequestId, id: &Value) -> bool {
    let Ok(own) = serde_json::from_str::<Value>(own_id.as_json()) else { return false };
    own == *id || ((own.is_f64() || id.is_f64()) && own.is_number() && own.as_f64() == id.as_f64())
}

/// What a body says in words; `None` if it names a request, for then it is an answer to that.
fn text_without_id(body: &[u8]) -> Option<String> {
    let json = serde_json::from_slice::<Value>(body).unwrap_or_default();
    if !json["id"].is_null() {
        return None;
    }
    let error = &json["error"];
    let said = error["message"].as_str().or(error.as_str()).map(str::to_owned);
    said.or_else(|| std::str::from_utf8(body).ok().map(str::to_owned))
}

fn is_known(text: &str) -> bool {
    let text = text.to_lowercase().replace("mcp-session-id", "session id");
    !text.contains("already") && KNOWN_TEXTS.iter().any(|known| text.contains(known))
}

/// What was asked.
#[derive(Clone, Copy)]
pub(crate) enum Asked<'a> {
    /// A POST of this message.
    Message(&'a Bytes),
    /// A GET.
    Stream,
}

impl<'a> Asked<'a> {
    pub(crate) fn by(method: &Method, body: &'a Bytes) -> Self {
        if *method == Method::GET { Self::Stream } else { Self::Message(body) }
    }

    fn id(self) -> Option<RequestId> {
        match self {
            Self::Message(body) => match message::kind(body) {
                Some(Kind::Request { id, .. }) => Some(id),
                Some(Kind::Notification(_) | Kind::Response(_)) | None => None,
            },
            Self::Stream => None,
        }
    }
}

/// A kind of answers that speak of a lost session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Symptom {
    is_of_stream: bool,
    pub(crate) status: StatusCode,
    code: Option<i64>,
}

impl Symptom {
    /// A 404 without a JSON-RPC error: MCP's own word for a session that is gone.
    pub(super) fn is_plain_404(self) -> bool {
        self.status == StatusCode::NOT_FOUND && self.code.is_none()
    }

    #[cfg(test)]
    pub(crate) fn of_message(status: StatusCode, code: Option<i64>) -> Self {
        Self { is_of_stream: false, status, code }
    }
}

/// An answer that speaks of a lost session, whole.
pub(crate) struct Suspect {
    pub(crate) answer: Response<ResponseBody>,
    pub(crate) symptom: Symptom,
}

/// The answer as it came, unless it speaks of a lost session.
pub(crate) async fn judge(
    answer: Response<ResponseBody>,
    asked: Asked<'_>,
) -> Result<Response<ResponseBody>, Box<Suspect>> {
    match answer.status() {
        StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Box::pin(look_into(answer, asked)).await
        }
        _ => Ok(answer),
    }
}

async fn look_into(answer: Response<ResponseBody>, asked: Asked<'_>) -> Result<Response<ResponseBody>, Box<Suspect>> {
    let is_stream = headers::has_media_type(answer.headers(), &headers::EVENT_STREAM);
    let (head, body) = answer.into_parts();
    let (read, body) = if is_stream { (None, body) } else { peek(body, LIMIT, PATIENCE).await };
    let read = read.unwrap_or_default();
    let (status, has_challenge) = (head.status, head.headers.contains_key(header::WWW_AUTHENTICATE));
    let judged = verdict(&InnerAnswer { status, has_challenge, body: &read }, asked.id().as_ref());
    let answer = Response::from_parts(head, body);
    match judged {
        Verdict::Answer => Ok(answer),
        Verdict::Lost => {
            let code = serde_json::from_slice(&read).ok().as_ref().and_then(code);
            let symptom = Symptom { is_of_stream: matches!(asked, Asked::Stream), status, code };
            Err(Box::new(Suspect { answer, symptom }))
        }
    }
}

/// What a ping tells of the inner service's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pinged {
    /// It is there: the ping was answered, be it by an error.
    Lives,
    /// It is gone.
    Lost,
    /// Nobody knows: no answer in time, or one that does not come from the session (credentials, load, failure).
    Unknown,
}

/// Asks by a ping of the layer's own; `send` sends it in the inner service's session.
pub(crate) async fn ping<F>(id: &RequestId, send: impl FnOnce(Bytes) -> F) -> Pinged
where
    F: Future<Output = Option<Response<ResponseBody>>>,
{
    let message = Bytes::from(format!(r#"{{"jsonrpc":"2.0","id":{},"method":"ping"}}"#, id.as_json()));
    let asked = async {
        let answer = send(message.clone()).await?;
        Some(judge(answer, Asked::Message(&message)).await.map(|answer| answer.status()))
    };
    match timeout(PATIENCE, asked).await {
        Ok(Some(Err(_))) => Pinged::Lost,
        Ok(Some(Ok(status))) if is_of_session(status) => Pinged::Lives,
        Ok(Some(Ok(_)) | None) | Err(_) => Pinged::Unknown,
    }
}

fn is_of_session(status: StatusCode) -> bool {
    use StatusCode as S;
    !status.is_server_error() && !matches!(status, S::UNAUTHORIZED | S::FORBIDDEN | S::TOO_MANY_REQUESTS)
}
