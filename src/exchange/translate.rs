//! What the inner service's answer becomes on its way to the client of a session.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::Value;

use super::purpose::Purpose;
use crate::body::{ResponseBody, read_whole};
use crate::engine::inner_stream::is_event_stream;
use crate::engine::verdict::Admission;
use crate::protocol::headers;
use crate::protocol::message::RequestId;
use crate::protocol::response::in_body;
use crate::rejection::Rejection;
use crate::stream::quiet;

/// Longest body of a 404 that is searched for a JSON-RPC error.
const NOT_FOUND_BODY_LIMIT: usize = 1 << 20;

/// Makes statuses mean what they mean to the client of a session that lives.
pub(super) async fn status(
    response: Response<ResponseBody>,
    purpose: &Purpose,
    admission: &Admission,
) -> Result<Response<ResponseBody>, Rejection> {
    match (response.status(), purpose) {
        (StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED, Purpose::Listen) => Ok(quiet::response()),
        (StatusCode::NOT_FOUND, Purpose::Listen) if !admission.record.origin.inner_has_sessions => {
            Ok(quiet::response())
        }
        (StatusCode::NOT_FOUND, _) if admission.lease.ended.is_cancelled() => Err(Rejection::SessionNotFound),
        // A ping found the session: there is no stream.
        (StatusCode::NOT_FOUND, Purpose::Listen) => Ok(quiet::response()),
        (status, Purpose::Listen) if status.is_success() && !is_event_stream(&response) => Ok(quiet::response()),
        (StatusCode::NOT_FOUND, Purpose::Call(id, _)) => Box::pin(not_found_is_not_session_gone(response, id)).await,
        // It was not taken, and a success would say that it was.
        (StatusCode::NOT_FOUND, Purpose::Word(_)) => Err(Rejection::InnerLostSession),
        (_, _) => Ok(response),
    }
}

/// To a client a 404 means "session gone", and the session lives: an error in the body goes out as 200, nothing as 502.
async fn not_found_is_not_session_gone(
    response: Response<ResponseBody>,
    id: &RequestId,
) -> Result<Response<ResponseBody>, Rejection> {
    let (mut parts, body) = response.into_parts();
    let body = read_whole(body, NOT_FOUND_BODY_LIMIT).await.map_err(|_| Rejection::InnerLostSession)?;
    let body = answering(&body, id).ok_or(Rejection::InnerLostSession)?;
    parts.status = StatusCode::OK;
    headers::make_json(&mut parts.headers);
    Ok(Response::from_parts(parts, ResponseBody::whole(body)))
}

/// A response, or an error that names no request or one that was never made, as a response to the request that got it.
fn answering(body: &Bytes, id: &RequestId) -> Option<Bytes> {
    if let Some(own) = in_body(id, body.clone()) {
        return Some(own);
    }
    let mut message: Value = serde_json::from_slice(body).ok()?;
    let own: Value = serde_json::from_str(id.as_json()).ok()?;
    let object = message.as_object_mut()?;
    if !object.get("error")?.is_object() {
        return None;
    }
    object.insert("id".to_owned(), own);
    Some(message.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(body: &'static str, id: &str) -> Option<String> {
        let id = RequestId::from_json(id.as_bytes()).unwrap();
        answering(&Bytes::from(body), &id).map(|body| String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn an_error_becomes_one_for_the_request_that_got_it() {
        let own = r#"{ "jsonrpc":"2.0","id":7,"error":{"code":-32001,"message":"gone"} }"#;
        assert_eq!(answered(own, "7").as_deref(), Some(own), "as it is written");
        for body in [
            r#"{"jsonrpc":"2.0","error":{"code":-32001,"message":"gone"},"id":null}"#,
            r#"{"jsonrpc":"2.0","error":{"code":-32001,"message":"gone"}}"#,
            r#"{"jsonrpc":"2.0","id":"server-error","error":{"code":-32001,"message":"gone"}}"#,
        ] {
            let message: Value = serde_json::from_str(&answered(body, "7").unwrap()).unwrap();
            assert_eq!((&message["id"], &message["error"]["code"]), (&Value::from(7), &Value::from(-32001)), "{body}");
        }
    }

    #[test]
    fn what_is_no_error_is_no_answer() {
        for body in ["", "Session not found", r#"{"detail":"Not Found"}"#, r#"{"error":"gone"}"#, "[]", "7"] {
            assert_eq!(answered(body, "7"), None, "{body}");
        }
        assert_eq!(answered(r#"{"id":8,"result":{}}"#, "7"), None, "a result of another request");
    }
}
