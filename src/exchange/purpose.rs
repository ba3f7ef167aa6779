//! What a request is for, and what its client takes as an answer.

use http::{HeaderMap, HeaderValue, header};

use crate::protocol::headers;
use crate::protocol::message::{Method, RequestId};

/// What a request is for, and so what becomes of its answer.
#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    /// The client's GET, relayed as it is. Ends with its client.
    Listen,
    /// A request: its answer is read to the end, whether its client is there or not.
    Call(RequestId, Method),
    /// A notification or an answer: nothing is said to it.
    Word(Method),
}

impl Purpose {
    /// Whether this may shape the session for good.
    pub(super) fn shapes(&self) -> bool {
        matches!(self, Self::Call(_, Method::SetLevel | Method::Subscribe | Method::Unsubscribe))
    }
}

/// What the client takes as an answer. Most answers go out without a look at it.
pub(super) struct Takes {
    accept: Vec<HeaderValue>,
}

impl Takes {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self { accept: headers.get_all(header::ACCEPT).iter().cloned().collect() }
    }

    pub(super) fn json(&self) -> bool {
        headers::accepts_json(&self.accept)
    }

    pub(super) fn stream(&self) -> bool {
        headers::accepts_stream(&self.accept)
    }
}
