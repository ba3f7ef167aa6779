//! What the inner service's answer becomes on its way to the client of a session.

use http::{Response, StatusCode, header};

use super::purpose::Purpose;
use crate::body::{ResponseBody, read_whole};
use crate::engine::verdict::Admission;
use crate::protocol::headers;
use crate::protocol::message::{self, Kind};
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
        (StatusCode::METHOD_NOT_ALLOWED, Purpose::Listen) => Ok(quiet::response()),
        (StatusCode::NOT_FOUND, Purpose::Listen) if !admission.record.origin.inner_has_sessions => {
            Ok(quiet::response())
        }
        (StatusCode::NOT_FOUND, _) if admission.lease.ended.is_cancelled() => Err(Rejection::SessionNotFound),
        (StatusCode::NOT_FOUND, _) => Box::pin(not_found_is_not_session_gone(response, purpose)).await,
        (_, _) => Ok(response),
    }
}

/// To a client a 404 means "session gone", and the session lives: an error in the body goes out as 200, nothing as 502.
async fn not_found_is_not_session_gone(
    response: Response<ResponseBody>,
    purpose: &Purpose,
) -> Result<Response<ResponseBody>, Rejection> {
    let (mut parts, body) = response.into_parts();
    let body = read_whole(body, NOT_FOUND_BODY_LIMIT).await.map_err(|_| Rejection::InnerLostSession)?;
    let told = match purpose {
        Purpose::Call(id, _) => in_body(id, body),
        Purpose::Listen => matches!(message::kind(&body), Some(Kind::Response(_))).then_some(body),
        // It was not taken, and a success would say that it was.
        Purpose::Word(_) => None,
    };
    let body = told.ok_or(Rejection::InnerLostSession)?;
    parts.status = StatusCode::OK;
    parts.headers.insert(header::CONTENT_TYPE, headers::JSON);
    Ok(Response::from_parts(parts, ResponseBody::whole(body)))
}
