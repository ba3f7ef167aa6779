//! The answer to an `initialize`, until its client takes it.

use std::sync::Arc;

use http::Response;
use tokio::runtime::Handle;

use crate::body::ResponseBody;
use crate::engine::Engine;
use crate::engine::verdict::Admission;
use crate::inner::{Failure, InnerService};
use crate::session::EndReason;
use crate::store::EndedBy;

pub(super) type Introduced<S> = Result<Introduction, Failure<<S as InnerService>::Failure>>;

/// The answer to an `initialize`, and the session its client does not know of yet.
pub(super) struct Introduction {
    response: Response<ResponseBody>,
    unclaimed: Option<Unclaimed>,
}

impl Introduction {
    /// Of a session that lives on whether its client takes the answer or not, or of none.
    pub(super) const fn known(response: Response<ResponseBody>) -> Self {
        Self { response, unclaimed: None }
    }

    /// Of a session that nobody has if its client does not take the answer.
    pub(super) const fn unclaimed(response: Response<ResponseBody>, engine: Arc<Engine>, admission: Admission) -> Self {
        Self { response, unclaimed: Some(Unclaimed { engine, admission: Some(admission) }) }
    }

    /// The client takes its answer.
    pub(super) fn claim(self) -> Response<ResponseBody> {
        if let Some(mut session) = self.unclaimed {
            session.admission = None;
        }
        self.response
    }
}

/// A session whose client has left before it learned the id. Dropping it ends the session: nobody could ever use it.
struct Unclaimed {
    engine: Arc<Engine>,
    /// `None` once claimed.
    admission: Option<Admission>,
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let (Some(admission), Ok(runtime)) = (self.admission.take(), Handle::try_current()) {
            let engine = Arc::clone(&self.engine);
            runtime.spawn(async move {
                // A store that cannot be reached is logged there; then the session ends with its retention.
                let by = EndedBy::Holder(admission.record.generation);
                let _ = engine.end(&admission.record.key, by, EndReason::Abandoned, || None).await;
            });
        }
    }
}
