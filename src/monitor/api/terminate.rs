//! `DELETE /api/mcp/sessions/{key}`: an operator ends a session, on every replica.

use http::{Response, StatusCode};

use crate::body::ResponseBody;
use crate::engine::Engine;
use crate::id::SessionKey;
use crate::monitor::answer::Refusal;
use crate::rejection::Rejection;
use crate::session::EndReason;
use crate::store::EndedBy;

pub(crate) async fn respond(engine: &Engine, key: SessionKey) -> Result<Response<ResponseBody>, Refusal> {
    match engine.end(&key, EndedBy::Operator, EndReason::Terminated, || None).await {
        Ok(()) => {
            let mut response = Response::new(ResponseBody::whole(""));
            *response.status_mut() = StatusCode::NO_CONTENT;
            Ok(response)
        }
        Err(Rejection::SessionNotFound) => Err(Refusal::no_such_session()),
        Err(rejection) => Err(rejection.into()),
    }
}
