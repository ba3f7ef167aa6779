//! One request and its answer, for each kind of request the layer tells apart.
//!
//! | file | request |
//! |---|---|
//! | `pass` | a modern one, straight through |
//! | `handshake` | `initialize`: may open a session |
//! | `reconnect` | `initialize` with a reconnect token |
//! | `tool` | the MCP tool `reconnect_session` |
//! | `session` | a POST of a session |
//! | `batch` | several messages in one POST, and `joint`: their answers in one |
//! | `reply` | an answer to a question |
//! | `incoming` | progress, a cancellation: for whichever replica waits for it |
//! | `listen` | GET: listen, or resume |
//! | `close` | DELETE |
//!
//! `purpose` is what all of them agree on. `outcome` decides what becomes of an inner service's answer, `translate` makes its
//! status one that a session's client understands, `recover` replays the handshake to an inner service that lost its session,
//! `relay` carries what is not recorded, `detach` lets work outlive its client, `unclaimed` ends a session whose client left before it
//! knew of it, and
//! `overhear` tells who makes modern requests, of which `carried` carries an `initialize` to its answer.

mod batch;
mod carried;
mod close;
mod detach;
mod handshake;
mod incoming;
mod joint;
mod listen;
mod outcome;
mod overhear;
mod pass;
mod purpose;
#[cfg(feature = "reconnect")]
mod reconnect;
mod recover;
mod relay;
mod reply;
mod session;
#[cfg(feature = "reconnect")]
mod tool;
mod translate;
mod unclaimed;

use std::sync::Arc;

use futures::FutureExt;
use http::{HeaderValue, Response};

use self::detach::{Detach, Panicked};
use crate::body::ResponseBody;
use crate::engine::Engine;
use crate::engine::verdict::Admission;
use crate::inner::{Failure, Inner, InnerService};
use crate::protocol::headers;
use crate::protocol::message::RequestId;
use crate::rejection::Rejection;
use crate::session::Principal;
use crate::telemetry::span;

/// What every exchange needs: the engine, who the request acts for, and the inner service on its behalf.
pub(crate) struct Exchange<S> {
    pub(crate) engine: Arc<Engine>,
    pub(crate) principal: Option<Principal>,
    pub(crate) inner: Inner<S>,
}

/// An exchange's answer. Refusals have become answers; an error is the inner service's own.
pub(crate) type Answered<S> = Result<Response<ResponseBody>, <S as InnerService>::Failure>;

type Outcome<S> = Result<Response<ResponseBody>, Failure<<S as InnerService>::Failure>>;

/// Runs an exchange so that a client that leaves does not cut it short, and a panic costs this answer alone.
///
/// What comes of it is dropped where the client has left meanwhile.
fn detached<T, E, F>(engine: &Engine, exchange: F) -> impl Future<Output = Result<T, Failure<E>>> + Send + use<T, E, F>
where
    T: Send + 'static,
    E: Send + 'static,
    F: Future<Output = Result<T, Failure<E>>> + Send + 'static,
{
    let detach = Detach::new(exchange, &engine.drain.calls);
    detach.map(|outcome| outcome.unwrap_or_else(|Panicked| Err(Rejection::InnerPanicked.into())))
}

impl<S: InnerService> Exchange<S> {
    /// An exchange for another message of the same request.
    fn again(&self) -> Self {
        Self { engine: Arc::clone(&self.engine), principal: self.principal.clone(), inner: self.inner.again() }
    }
}

impl<S> Exchange<S> {
    /// A reconnect token for the client's answer, if it should get one.
    #[cfg(feature = "reconnect")]
    async fn token(&self, admission: &Admission) -> Option<HeaderValue> {
        match self.engine.is_token_due(admission) {
            true => Box::pin(self.engine.give_token(admission)).await,
            false => None,
        }
    }

    #[cfg(not(feature = "reconnect"))]
    async fn token(&self, _: &Admission) -> Option<HeaderValue> {
        None
    }
}

/// Sends a reconnect token along with an answer.
fn with_token<E>(
    mut outcome: Result<Response<ResponseBody>, Failure<E>>,
    token: Option<HeaderValue>,
) -> Result<Response<ResponseBody>, Failure<E>> {
    if let (Ok(response), Some(token)) = (&mut outcome, token) {
        response.headers_mut().insert(headers::RECONNECT_TOKEN, token);
    }
    outcome
}

/// Turns what became of an exchange into the client's answer.
fn answer<S: InnerService>(outcome: Outcome<S>, id: Option<&RequestId>) -> Answered<S> {
    match outcome {
        Ok(response) => Ok(response),
        Err(Failure::Refused(rejection)) => {
            span::refused(rejection.facts().0);
            Ok(rejection.answer(id))
        }
        Err(Failure::Answered(response)) => Ok(*response),
        Err(Failure::Inner(error)) => Err(error),
    }
}
