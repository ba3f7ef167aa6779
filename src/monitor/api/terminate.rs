//! `DELETE /api/mcp/sessions/{key}`: an operator ends a session, on every replica.

use http::{Response, StatusCode};

use crate::body::ResponseBody;
use crate::engine::Engine;
use crate::id::SessionKey;
use crate::monitor::answer::Refusal;
use crate::session::EndReason;

pub(crate) async fn respond(engine: &Engine, key: SessionKey) -> Result<Response<ResponseBody>, Refusal> {
    match engine.end(&key, EndReason::Terminated).await? {
        true => {
            let mut response = Response::new(ResponseBody::whole(""));
            *response.status_mut() = StatusCode::NO_CONTENT;
            Ok(response)
        }
        false => Err(Refusal::no_such_session()),
    }
}
