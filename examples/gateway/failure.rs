//! *Why a 502, a 504?* The upstream gave no answer that a client could use; each way not to is one variant here, with its status and a text that
//! tells the person at the client what to do. What to do about the upstream is told in the log.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::json;

/// JSON-RPC's "Internal error".
const INTERNAL_ERROR: i32 = -32603;

/// Why there is no answer to pass on.
#[derive(Clone, Copy, Debug)]
pub enum Failure {
    /// 502: no connection could be made, so nothing was asked.
    Unreachable,
    /// 502: the connection ended before the answer began.
    CutShort,
    /// 504: the answer did not begin in time.
    TooSlow,
    /// 502: the upstream sends clients to another URL of its own, past this gateway.
    Elsewhere,
}

impl Failure {
    fn facts(self) -> (StatusCode, &'static str) {
        match self {
            Self::Unreachable => (
                StatusCode::BAD_GATEWAY,
                "The server behind this endpoint cannot be reached; try again, and tell its operator if that does not help",
            ),
            Self::CutShort => (
                StatusCode::BAD_GATEWAY,
                "The server behind this endpoint hung up before it answered; it may have done what was asked, so check before \
                 you try again",
            ),
            Self::Elsewhere => (
                StatusCode::BAD_GATEWAY,
                "The server behind this endpoint is not where its gateway looks for it; its operator has to correct that",
            ),
            Self::TooSlow => (
                StatusCode::GATEWAY_TIMEOUT,
                "The server behind this endpoint did not answer in time; it may still do what was asked, so check before you \
                 try again",
            ),
        }
    }

    /// The answer to send. It names no request: the proxy does not read what it passes on.
    pub fn answer(self) -> Response<Full<Bytes>> {
        let (status, text) = self.facts();
        let error = json!({ "jsonrpc": "2.0", "id": null, "error": { "code": INTERNAL_ERROR, "message": text } });
        let mut response = Response::new(Full::from(error.to_string()));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
