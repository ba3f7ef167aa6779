//! Whether an inner service says that it does not know its own session any more: 404, as MCP demands; or, as many servers do
//! that were written after early examples, a 400 that speaks of the session.

use http::{Response, StatusCode};

use crate::body::{ResponseBody, read_whole};

/// Longest body of a 400 that is searched for the word.
const LIMIT: usize = 64 << 10;

/// The handshake has to be replayed.
pub(super) struct LostSession;

/// The answer, unless it says that the session is lost.
pub(super) async fn judge(response: Response<ResponseBody>) -> Result<Response<ResponseBody>, LostSession> {
    match response.status() {
        StatusCode::NOT_FOUND => Err(LostSession),
        StatusCode::BAD_REQUEST => Box::pin(judge_bad_request(response)).await,
        _ => Ok(response),
    }
}

async fn judge_bad_request(response: Response<ResponseBody>) -> Result<Response<ResponseBody>, LostSession> {
    let (head, body) = response.into_parts();
    // A body that cannot be read here could not be passed on either.
    let body = read_whole(body, LIMIT).await.unwrap_or_default();
    match body.windows(WORD.len()).any(|part| part.eq_ignore_ascii_case(WORD)) {
        true => Err(LostSession),
        false => Ok(Response::from_parts(head, ResponseBody::whole(body))),
    }
}

const WORD: &[u8] = b"session";
