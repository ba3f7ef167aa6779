//! What an inner service calls a session, and the cookies it set with it: what every request of that session has to carry.

use std::sync::{Arc, PoisonError, RwLock};

use http::{HeaderMap, HeaderValue, Response, header};

use super::SessionCookies;
use crate::protocol::headers;

/// An inner service's session; without an id, an inner service that has none. Both parts are credentials: no `Debug`.
#[derive(Clone, Default)]
pub(crate) struct InnerSession {
    id: Option<HeaderValue>,
    /// As the last answer that set one of them left them.
    cookies: Arc<RwLock<SessionCookies>>,
}

impl PartialEq for InnerSession {
    /// A session is the same whatever became of its cookies.
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl InnerSession {
    /// What an answer to `initialize` makes; its id is taken off the answer.
    pub(crate) fn minted_by<B>(answer: &mut Response<B>) -> Self {
        let cookies = Arc::new(RwLock::new(SessionCookies::set_by(answer.headers())));
        Self { id: answer.headers_mut().remove(headers::SESSION_ID), cookies }
    }

    /// The session of this id, without cookies.
    pub(crate) fn named(id: HeaderValue) -> Self {
        Self { id: Some(id), ..Self::default() }
    }

    pub(crate) fn id(&self) -> Option<&HeaderValue> {
        self.id.as_ref()
    }

    /// Makes a request one of this session. Of two cookies of one name the client's own goes if it `is_preferred`.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap, is_preferred: bool) {
        if let Some(id) = &self.id {
            headers.insert(headers::SESSION_ID, id.clone());
        }
        self.cookies.read().unwrap_or_else(PoisonError::into_inner).add_to(headers, is_preferred);
    }

    /// Keeps the new values that an answer gives to cookies of this session.
    pub(crate) fn renew_cookies(&self, answer: &HeaderMap) {
        if answer.contains_key(header::SET_COOKIE) {
            self.cookies.write().unwrap_or_else(PoisonError::into_inner).renew(answer);
        }
    }

    /// An id that an answer names and that is not this session's: another one was minted. Taken off the answer.
    pub(crate) fn take_other<B>(&self, answer: &mut Response<B>) -> Option<Self> {
        let id = answer.headers_mut().remove(headers::SESSION_ID)?;
        (self.id.as_ref() != Some(&id)).then(|| Self::named(id))
    }

    /// As it is kept in the store: the id, then the cookies, a line each. Neither can hold a line break.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let id = self.id.as_ref().map_or(&b""[..], HeaderValue::as_bytes);
        let cookies = self.cookies.read().unwrap_or_else(PoisonError::into_inner);
        let pairs = cookies.pairs().iter().map(String::as_bytes);
        std::iter::once(id).chain(pairs).collect::<Vec<_>>().join(&b'\n')
    }

    /// Reads [`to_bytes`](Self::to_bytes) back.
    pub(crate) fn from_bytes(kept: &[u8]) -> Option<Self> {
        let mut lines = kept.split(|byte| *byte == b'\n');
        let id = lines.next().filter(|id| !id.is_empty());
        let id = id.map(HeaderValue::from_bytes).transpose().ok()?;
        let pairs = lines.map(|line| String::from_utf8(line.to_vec())).collect::<Result<Vec<_>, _>>().ok()?;
        Some(Self { id, cookies: Arc::new(RwLock::new(SessionCookies::of_pairs(pairs))) })
    }
}

#[cfg(test)]
mod tests {
    use http::header::SET_COOKIE;

    use super::*;

    #[test]
    fn what_is_kept_reads_back() {
        let mut answer = Response::new(());
        answer.headers_mut().insert(headers::SESSION_ID, HeaderValue::from_static("s-1"));
        answer.headers_mut().append(SET_COOKIE, HeaderValue::from_static("lb=7; Path=/"));
        answer.headers_mut().append(SET_COOKIE, HeaderValue::from_static("b=8"));
        let session = InnerSession::minted_by(&mut answer);
        assert!(!answer.headers().contains_key(headers::SESSION_ID));
        assert_eq!(session.to_bytes(), b"s-1\nlb=7\nb=8");
        let read = InnerSession::from_bytes(&session.to_bytes()).unwrap();
        assert_eq!(read.to_bytes(), session.to_bytes());
        answer.headers_mut().insert(SET_COOKIE, HeaderValue::from_static("lb=9"));
        read.renew_cookies(answer.headers());
        assert_eq!(read.to_bytes(), b"s-1\nlb=9\nb=8");
        assert!(InnerSession::from_bytes(b"") == Some(InnerSession::default()));
    }

    #[test]
    fn only_an_id_that_is_not_the_sessions_own_is_another_session() {
        let session = InnerSession::named(HeaderValue::from_static("s-1"));
        let answer = |id| {
            let mut answer = Response::new(());
            answer.headers_mut().insert(headers::SESSION_ID, HeaderValue::from_static(id));
            answer
        };
        assert!(session.take_other(&mut answer("s-1")).is_none());
        assert!(session.take_other(&mut answer("s-2")) == Some(InnerSession::named(HeaderValue::from_static("s-2"))));
        assert!(session.take_other(&mut Response::new(())).is_none());
    }
}
