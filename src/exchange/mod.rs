//! One request and its answer, for each kind of request the layer tells apart.
//!
//! | file | request |
//! |---|---|
//! | `pass` | a modern one, straight through |
//! | `handshake` | `initialize`: may open a session |
//! | `session` | a POST of a session |
//! | `incoming` | an answer, progress, a cancellation: for whichever replica waits for it |
//! | `listen` | GET: listen, or resume |
//! | `close` | DELETE |
//!
//! `purpose` is what all of them agree on. `outcome` decides what becomes of an inner service's answer, `translate` makes its
//! status one that a session's client understands, `lost` tells whether the inner service has forgotten the session, `relay`
//! carries what is not recorded, and `detach` lets work outlive its client.

mod close;
mod detach;
mod handshake;
mod incoming;
mod listen;
mod lost;
mod outcome;
mod pass;
mod purpose;
mod relay;
mod session;
mod translate;

use std::sync::Arc;

use futures::FutureExt;
use http::Response;

use self::detach::{Detach, Panicked};
use crate::body::ResponseBody;
use crate::engine::Engine;
use crate::inner::{Failure, Inner, InnerService};
use crate::protocol::message::RequestId;
use crate::rejection::Rejection;

/// What every exchange needs: the engine, and the inner service on behalf of this request.
pub(crate) struct Exchange<S> {
    pub(crate) engine: Arc<Engine>,
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

/// Turns what became of an exchange into the client's answer.
fn answer<S: InnerService>(outcome: Outcome<S>, id: Option<&RequestId>) -> Answered<S> {
    match outcome {
        Ok(response) => Ok(response),
        Err(Failure::Refused(rejection)) => Ok(rejection.answer(id)),
        Err(Failure::Answered(response)) => Ok(*response),
        Err(Failure::Inner(error)) => Err(error),
    }
}
