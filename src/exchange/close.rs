//! DELETE: the client ends its session.

use http::request::Parts;
use http::{Response, StatusCode};

use super::{Answered, Exchange};
use crate::body::ResponseBody;
use crate::classify::{self, Declared};
use crate::engine::config::Freshness;
use crate::inner::InnerService;
use crate::rejection::Rejection;
use crate::session::EndReason;

impl<S: InnerService> Exchange<S> {
    /// Ends a session: 204 once the store has it. The inner service's session is closed in the background.
    pub(crate) async fn close(self, parts: Box<Parts>, declared: Declared) -> Answered<S> {
        match self.end_session(&parts, declared).await {
            Ok(()) => {
                let mut response = Response::new(ResponseBody::whole(""));
                *response.status_mut() = StatusCode::NO_CONTENT;
                Ok(response)
            }
            Err(rejection) => Ok(rejection.answer(None)),
        }
    }

    async fn end_session(&self, parts: &Parts, declared: Declared) -> Result<(), Rejection> {
        let id = classify::session_id(parts)?;
        let principal = self.engine.config.principal_of(parts);
        let vouched = self.engine.vouch(&id, principal.as_ref(), Freshness::Strict).await?;
        classify::fits(vouched.record.origin.protocol_version, declared, false)?;
        self.engine.note_head(&vouched.record.key, parts);
        match self.engine.end(&vouched.record.key, EndReason::ClosedByClient).await? {
            true => Ok(()),
            false => Err(Rejection::SessionNotFound),
        }
    }
}
