//! A plain answer of which only the first bytes are looked at: is it one message, or an array of them?

use http::{Response, header};
use http_body::Body;
use http_body_util::BodyExt;

use super::seen::Seen;
use crate::body::{ResponseBody, read_whole};
use crate::protocol::bom::BOM;
use crate::protocol::headers;
use crate::protocol::message::RequestId;
use crate::protocol::response::in_body;
use crate::rejection::Rejection;

/// Longest array that is searched.
const LIMIT: usize = 4 << 20;

/// The response to a call out of an array; any other answer as it is. An array without it is a readable answer to something
/// else, which would leave the client waiting.
pub(crate) async fn out_of_batch(
    answer: Response<ResponseBody>,
    id: &RequestId,
) -> Result<Response<ResponseBody>, Rejection> {
    if headers::is_encoded(answer.headers()) {
        return Ok(answer);
    }
    let (mut head, body) = answer.into_parts();
    let (is_array, body) = peek(body).await;
    if !is_array {
        return Ok(Response::from_parts(head, body));
    }
    let body = read_whole(body, LIMIT).await.map_err(|_| Rejection::InnerAnswerUnreadable)?;
    let response = in_body(id, body).ok_or(Rejection::InnerAnswerUnreadable)?;
    head.headers.remove(header::CONTENT_LENGTH);
    Ok(Response::from_parts(head, ResponseBody::whole(response)))
}

/// Whether a body begins as an array, and the body, still whole.
async fn peek(mut body: ResponseBody) -> (bool, ResponseBody) {
    let mut seen = Seen::default();
    loop {
        let chunk = match body.frame().await {
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            Some(Err(error)) => return (false, seen.and_error(error)),
            None => return (false, seen.and(body)),
        };
        let first = chunk.iter().find(|byte| !byte.is_ascii_whitespace() && !BOM.contains(byte)).copied();
        match first {
            Some(first) if seen.len() == 0 && body.is_end_stream() => {
                return (first == b'[', ResponseBody::whole(chunk));
            }
            Some(first) => return (first == b'[', seen.push(chunk).and(body)),
            None => seen = seen.push(chunk),
        }
    }
}
