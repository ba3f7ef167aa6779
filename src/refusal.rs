//! *Why was I not let in?* [`Refusal`]: the host's word that nobody gets in with this request, and what the person is told.

use std::borrow::Cow;

use http::{HeaderValue, Response, StatusCode, header};

use crate::body::ResponseBody;
use crate::rejection::Rejection;

/// What the hook of [`SessionLayerBuilder::principal`](crate::SessionLayerBuilder::principal) says to close the door: the
/// request gets this answer, with a JSON-RPC error as its body, and goes nowhere else.
///
/// ```
/// use tower_mcp_sessions::Refusal;
/// # use http::HeaderValue;
/// let refusal = Refusal::unauthorized("Log in first, then send your token as Authorization: Bearer")
///     .with_challenge(HeaderValue::from_static("Bearer resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource\""));
/// ```
#[derive(Clone, Debug)]
pub struct Refusal {
    why: Rejection,
    text: Cow<'static, str>,
    challenge: Option<HeaderValue>,
}

impl Refusal {
    /// 401: nobody can tell who this is. MCP clients begin a login. The text is for the person: it says what to do.
    #[must_use]
    pub fn unauthorized(text: impl Into<Cow<'static, str>>) -> Self {
        Self { why: Rejection::PrincipalRefused(StatusCode::UNAUTHORIZED), text: text.into(), challenge: None }
    }

    /// 403: it is known who this is, and they may not use this server. The text is for the person: it says what to do.
    #[must_use]
    pub fn forbidden(text: impl Into<Cow<'static, str>>) -> Self {
        Self::unauthorized(text).with_status(StatusCode::FORBIDDEN)
    }

    /// The same with another status of the client's errors (4xx). Anything else is answered with 403, and so is 404, which
    /// tells MCP clients that their session is gone.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        let fits = status.is_client_error() && status != StatusCode::NOT_FOUND;
        self.why = Rejection::PrincipalRefused(if fits { status } else { StatusCode::FORBIDDEN });
        self
    }

    /// The same with a `WWW-Authenticate` header, which tells clients how to log in.
    #[must_use]
    pub fn with_challenge(mut self, www_authenticate: HeaderValue) -> Self {
        self.challenge = Some(www_authenticate);
        self
    }

    /// What the layer itself refuses, in its own words.
    pub(crate) fn of(why: Rejection) -> Box<Self> {
        Box::new(Self { why, text: why.facts().2.into(), challenge: None })
    }

    /// The answer to send. No request is named: the door closes before the body is read.
    pub(crate) fn answer(self) -> Response<ResponseBody> {
        let mut response = self.why.answer_saying(None, &self.text);
        if let Some(challenge) = self.challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }

    /// The status, the text and the challenge, for an answer of another form.
    #[cfg(feature = "monitor")]
    pub(crate) fn into_parts(self) -> (StatusCode, Cow<'static, str>, Option<HeaderValue>) {
        (self.why.facts().0, self.text, self.challenge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_an_error_of_the_clients_and_never_a_lost_session() {
        let status = |status| Refusal::unauthorized("x").with_status(status).answer().status();
        assert_eq!(Refusal::unauthorized("x").answer().status(), StatusCode::UNAUTHORIZED);
        assert_eq!(Refusal::forbidden("x").answer().status(), StatusCode::FORBIDDEN);
        for fits in [400, 402, 429, 451] {
            assert_eq!(status(StatusCode::from_u16(fits).unwrap()), fits);
        }
        for other in [100, 200, 302, 404, 500, 503, 700] {
            assert_eq!(status(StatusCode::from_u16(other).unwrap()), StatusCode::FORBIDDEN, "{other}");
        }
    }

    #[test]
    fn a_challenge_goes_with_the_answer() {
        let challenge = HeaderValue::from_static("Bearer");
        let answer = Refusal::unauthorized("x").with_challenge(challenge.clone()).answer();
        assert_eq!(answer.headers().get(header::WWW_AUTHENTICATE), Some(&challenge));
        assert_eq!(answer.extensions().get(), Some(&Rejection::PrincipalRefused(StatusCode::UNAUTHORIZED)));
    }
}
