//! `initialize` with a reconnect token: the session goes to whoever proves that it was theirs, with a new handshake.
//!
//! The token is judged first, then the inner service answers, then the session changes hands: a refused token opens nothing,
//! and an inner service that refuses leaves the token unspent.

use bytes::Bytes;
use http::Response;
use http::request::Parts;

use super::Exchange;
use super::unclaimed::{Introduced, Introduction};
use crate::audit::ReconnectDoor;
use crate::body::ResponseBody;
use crate::engine::attempt::Attempt;
use crate::engine::binding::Binding;
use crate::engine::reconnect::{Named, Proven};
use crate::id::NonceDigest;
use crate::inner::InnerService;
use crate::protocol::headers;
use crate::reconnect::asked::{self, Asked};
use crate::rejection::Rejection;
use crate::session::SessionOrigin;
use crate::stream::initialize;

/// A client that proved that the session was its own.
pub(super) struct Returning {
    attempt: Attempt,
    proven: Proven,
    nonce: Option<NonceDigest>,
}

impl<S: InnerService> Exchange<S> {
    /// Takes what concerns reconnecting out of an `initialize`; if there is a token, judges it.
    pub(super) async fn returning(
        &mut self,
        parts: &mut Parts,
        body: Bytes,
    ) -> Result<(Bytes, Option<Returning>), Rejection> {
        let (body, Asked { token, nonce }) = asked::take(&mut parts.headers, body);
        let Some(presented) = token.filter(|_| self.engine.config.reconnect.is_some()) else { return Ok((body, None)) };
        self.inner.release();
        let mut attempt = Attempt::begin(&self.engine, ReconnectDoor::Initialize, self.principal.clone(), parts);
        let proven = self.engine.prove(&mut attempt, presented, &Named::Whichever, nonce.is_some()).await;
        match proven {
            Ok(proven) => Ok((body, Some(Returning { attempt, proven, nonce }))),
            Err(rejection) => attempt.conclude(Err(rejection)),
        }
    }

    /// The inner service has accepted the new handshake.
    pub(super) async fn hand_over(
        self,
        returning: Returning,
        origin: SessionOrigin,
        handshake: Bytes,
        binding: Binding,
        answer: initialize::Answer,
    ) -> Introduced<S> {
        let Returning { attempt, proven, nonce } = returning;
        let origin = SessionOrigin { adopted: proven.record().origin.adopted, ..origin };
        let handed = self.engine.hand_over(&proven, origin, Some((handshake, binding.inner())), nonce).await;
        let handed = attempt.conclude(handed)?;
        let (id, inbox) = (handed.id.header_value(), handed.inbox);
        let (kept, replaced) = (handed.inner.as_ref(), handed.replaced.as_ref());
        let binding = self.engine.share_handed_over(&handed.record.key, binding, kept, replaced);
        let admission = self.engine.take_over(handed)?;
        self.engine.bind(&admission, binding, inbox);
        let mut response: Response<ResponseBody> = Response::from_parts(answer.parts, answer.body);
        response.headers_mut().insert(headers::SESSION_ID, id);
        // Whatever this replica gave before: who asks again has lost that answer.
        if let Some(token) = self.engine.give_token(&admission).await {
            response.headers_mut().insert(headers::RECONNECT_TOKEN, token);
        }
        Ok(Introduction::known(response))
    }
}
