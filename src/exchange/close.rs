//! DELETE: the client ends its session.

use http::request::Parts;
use http::{Response, StatusCode};

use super::{Answered, Exchange};
use crate::body::ResponseBody;
use crate::classify::{self, Declared};
use crate::engine::Engine;
use crate::engine::config::Freshness;
use crate::inner::InnerService;
use crate::rejection::Rejection;
use crate::session::EndReason;
use crate::store::EndedBy;

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
        let vouched = self.engine.vouch(&id, self.principal.as_ref(), Freshness::Strict).await?;
        classify::fits(vouched.record.origin.protocol_version, declared, false)?;
        let engine = &self.engine;
        let record = engine.own(vouched).await?;
        engine.note_head(&record.key, parts);
        let by = EndedBy::Holder(record.generation);
        let otherwise = || Some(Engine::binding_to_close(&self.inner, parts));
        engine.end(&record.key, by, EndReason::ClosedByClient, otherwise).await
    }
}
