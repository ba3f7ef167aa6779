//! *Why was my request refused?* Every refusal of the layer is one variant of [`Rejection`], with its HTTP status, its
//! JSON-RPC error and a text that tells the person what to do.
//!
//! A 404 means one thing only: this id names no live session of the caller's. Whether it was malformed, never existed,
//! expired, was terminated or belongs to somebody else makes no difference, byte for byte. "I do not know" is a 503.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use crate::body::ResponseBody;
use crate::outcome::ReconnectOutcome;
use crate::protocol::headers;
use crate::protocol::message::RequestId;

/// Why the layer refused a request. Left in the response's extensions for logging and metrics layers outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rejection {
    /// 403: the `Host` header is missing, repeated or not on the list.
    ForeignHost,
    /// 403: the `Origin` header is repeated or not on the list.
    ForeignOrigin,
    /// The hook that names principals let nobody in; the status is its own: see [`Refusal`](crate::Refusal).
    PrincipalRefused(StatusCode),
    /// 401: nobody's request, where everybody has to be somebody.
    PrincipalRequired,
    /// 500: the hook that names principals panicked.
    PrincipalHookPanicked,
    /// 405: a method that MCP does not use.
    MethodNotAllowed,
    /// 413: the body is longer than the body limit.
    BodyTooLarge,
    /// 413: the `initialize` message is longer than the handshake limit.
    HandshakeTooLarge,
    /// 400: the body broke off.
    BodyBroken,
    /// 415: the body is compressed, or otherwise encoded.
    BodyEncoded,
    /// 400: the body is not JSON.
    NotJson,
    /// 400: the body is JSON, but no JSON-RPC message; the text says why.
    NotAMessage(&'static str),
    /// 400: a batch in a revision without batches, a batch that is too long, or one with an `initialize`.
    BatchRefused(&'static str),
    /// 400: `MCP-Protocol-Version` is repeated or names no version that is known here.
    UnsupportedVersion,
    /// 400: a request of a session without `Mcp-Session-Id`.
    SessionIdMissing,
    /// 400: `Mcp-Session-Id` is empty or repeated.
    SessionIdAmbiguous,
    /// 400: `Last-Event-ID` names no event of this session.
    EventIdUnknown,
    /// 409: a newer listener of this session is there.
    ListenerOutdated,
    /// 400: an answer to a question that is not open in this session.
    AnswerNotAsked,
    /// 404: no live session of this principal has this id.
    SessionNotFound,
    /// 500: the inner service panicked before it answered.
    InnerPanicked,
    /// 502: the inner service does not know its own session, even after a replayed handshake.
    InnerLostSession,
    /// 502: the inner service's answer has to be read and is not JSON-RPC, too long, or no answer to what was asked.
    InnerAnswerUnreadable,
    /// 502: the inner service's answer has to be read and came compressed, though nobody asked for that.
    InnerAnswerCompressed,
    /// A reconnect was refused; the status is the outcome's: 403 for a token that is no good, 409 for one that is spent, 404
    /// if the session is no more.
    ReconnectRefused(ReconnectOutcome),
    /// 429: too many of these lately.
    RateLimited {
        /// Seconds until it makes sense to try again.
        retry_after: u32,
    },
    /// 500: a limit by address is set, and nobody has told the layer its clients' addresses.
    AddressUnknown,
    /// 503: as many sessions live as may.
    TooManySessions,
    /// 503: the session store cannot say.
    StoreUnavailable,
    /// 503: this replica is shutting down.
    ShuttingDown,
}

/// JSON-RPC's "Parse error".
const PARSE_ERROR: i32 = -32700;
/// JSON-RPC's "Invalid Request".
const INVALID_REQUEST: i32 = -32600;
/// JSON-RPC's "Internal error".
const INTERNAL_ERROR: i32 = -32603;
/// "Session not found", as deployed MCP clients and servers know it. Only ever on legacy answers.
const SESSION_NOT_FOUND: i32 = -32001;

impl Rejection {
    /// The HTTP status, the JSON-RPC error code and the text.
    pub(crate) fn facts(self) -> (StatusCode, i32, &'static str) {
        use StatusCode as S;
        match self {
            Self::ForeignHost => (
                S::FORBIDDEN,
                INVALID_REQUEST,
                "This server does not answer for the host in your Host header. Its operator can allow it with SessionLayer::builder(…).allow_host(…)",
            ),
            Self::ForeignOrigin => (
                S::FORBIDDEN,
                INVALID_REQUEST,
                "Requests from this Origin are not allowed. The server's operator can allow it with SessionLayer::builder(…).allow_origin(…)",
            ),
            Self::PrincipalRefused(status) => (status, INVALID_REQUEST, "You are not let in here"),
            Self::PrincipalRequired => (
                S::UNAUTHORIZED,
                INVALID_REQUEST,
                "This server serves nobody it does not know; log in, and send your credentials with every request",
            ),
            Self::PrincipalHookPanicked => (
                S::INTERNAL_SERVER_ERROR,
                INTERNAL_ERROR,
                "The server failed while it looked who you are; try again, and tell its operator if that does not help",
            ),
            Self::MethodNotAllowed => {
                (S::METHOD_NOT_ALLOWED, INVALID_REQUEST, "An MCP endpoint takes POST, GET and DELETE")
            }
            Self::BodyTooLarge => (
                S::PAYLOAD_TOO_LARGE,
                INVALID_REQUEST,
                "The message is longer than this server accepts; send less at once",
            ),
            Self::HandshakeTooLarge => (
                S::PAYLOAD_TOO_LARGE,
                INVALID_REQUEST,
                "The initialize message is longer than this server keeps; shorten its capabilities",
            ),
            Self::BodyBroken => {
                (S::BAD_REQUEST, PARSE_ERROR, "The body broke off before its end; send the message again")
            }
            Self::BodyEncoded => (
                S::UNSUPPORTED_MEDIA_TYPE,
                INVALID_REQUEST,
                "This server reads no compressed messages; send the body as it is, without a Content-Encoding header",
            ),
            Self::NotJson => {
                (S::BAD_REQUEST, PARSE_ERROR, "The body is not JSON; send one JSON-RPC message encoded as UTF-8")
            }
            Self::NotAMessage(why) | Self::BatchRefused(why) => (S::BAD_REQUEST, INVALID_REQUEST, why),
            Self::UnsupportedVersion => (
                S::BAD_REQUEST,
                INVALID_REQUEST,
                "The MCP-Protocol-Version header must stand once and name the version negotiated by initialize",
            ),
            Self::SessionIdMissing => (
                S::BAD_REQUEST,
                INVALID_REQUEST,
                "The Mcp-Session-Id header is missing; send the one from the answer to initialize, or initialize first",
            ),
            Self::SessionIdAmbiguous => {
                (S::BAD_REQUEST, INVALID_REQUEST, "The Mcp-Session-Id header must stand once and not be empty")
            }
            Self::EventIdUnknown => (
                S::BAD_REQUEST,
                INVALID_REQUEST,
                "Last-Event-ID names no event of this session that is still known; open the stream without it, or call again",
            ),
            Self::ListenerOutdated => (
                S::CONFLICT,
                INVALID_REQUEST,
                "Another listener of this session has taken over since; to take over from it, open the stream without Last-Event-ID",
            ),
            Self::AnswerNotAsked => (
                S::BAD_REQUEST,
                INVALID_REQUEST,
                "No question with this id waits for an answer of this session: it was answered, withdrawn or never asked",
            ),
            Self::SessionNotFound => (
                S::NOT_FOUND,
                SESSION_NOT_FOUND,
                "Session not found; start a new one with initialize, without an Mcp-Session-Id header",
            ),
            Self::InnerPanicked => {
                (S::INTERNAL_SERVER_ERROR, INTERNAL_ERROR, "The server failed while it handled this request; try again")
            }
            Self::InnerLostSession => (
                S::BAD_GATEWAY,
                INTERNAL_ERROR,
                "The server behind this endpoint could not restore the session; try again",
            ),
            Self::InnerAnswerUnreadable => (
                S::BAD_GATEWAY,
                INTERNAL_ERROR,
                "The server behind this endpoint gave no readable answer; try again, and tell its operator if that does not help",
            ),
            Self::InnerAnswerCompressed => (
                S::BAD_GATEWAY,
                INTERNAL_ERROR,
                "The server behind this endpoint answered compressed although nobody asked for it; its operator has to switch that off",
            ),
            Self::ReconnectRefused(outcome) => reconnect_facts(outcome),
            Self::RateLimited { .. } => (
                S::TOO_MANY_REQUESTS,
                INVALID_REQUEST,
                "Too many attempts lately; wait as long as Retry-After says, then try again",
            ),
            Self::AddressUnknown => (
                S::INTERNAL_SERVER_ERROR,
                INTERNAL_ERROR,
                "This server limits clients by address and cannot see addresses. Its operator has to tell them with SessionLayer::builder(…).peer(…) or a PeerAddr extension, or to switch the limit off",
            ),
            Self::TooManySessions => (
                S::SERVICE_UNAVAILABLE,
                INTERNAL_ERROR,
                "This server has as many sessions as it takes; close one that is no longer needed, or try again later",
            ),
            Self::StoreUnavailable => (
                S::SERVICE_UNAVAILABLE,
                INTERNAL_ERROR,
                "The session store cannot be reached; sessions are not lost, try again",
            ),
            Self::ShuttingDown => {
                (S::SERVICE_UNAVAILABLE, INTERNAL_ERROR, "This replica is shutting down; try again to reach another")
            }
        }
    }

    /// What a client is told that tried to reconnect.
    pub(crate) fn outcome(self) -> Option<ReconnectOutcome> {
        match self {
            Self::ReconnectRefused(outcome) => Some(outcome),
            Self::RateLimited { .. } => Some(ReconnectOutcome::RateLimited),
            _ => None,
        }
    }

    /// Seconds until it makes sense to try again, where that may help.
    pub(crate) fn retry_after(self) -> Option<u32> {
        match self {
            Self::RateLimited { retry_after } => Some(retry_after),
            Self::TooManySessions => Some(10),
            Self::StoreUnavailable | Self::ShuttingDown => Some(1),
            _ => None,
        }
    }

    /// The answer to send, echoing the id of the request it refuses.
    pub(crate) fn answer(self, id: Option<&RequestId>) -> Response<ResponseBody> {
        self.answer_saying(id, self.facts().2)
    }

    /// The same in other words.
    pub(crate) fn answer_saying(self, id: Option<&RequestId>, text: &str) -> Response<ResponseBody> {
        let (status, code, _) = self.facts();
        let message = error_message_about(id, code, text, self.outcome());
        let mut response = Response::new(ResponseBody::whole(message));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, headers::JSON);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET, POST, DELETE"));
        }
        if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// The facts of a refused reconnect. A 401 would make MCP clients start an OAuth flow.
fn reconnect_facts(outcome: ReconnectOutcome) -> (StatusCode, i32, &'static str) {
    use ReconnectOutcome as O;
    let (status, code) = match outcome {
        O::TokenExpired | O::InvalidToken | O::InvalidTokenPurpose | O::SessionIdMismatch => {
            (StatusCode::FORBIDDEN, INVALID_REQUEST)
        }
        O::TokenMismatch => (StatusCode::CONFLICT, INVALID_REQUEST),
        O::SessionNotFound => (StatusCode::NOT_FOUND, SESSION_NOT_FOUND),
        O::RateLimited => (StatusCode::TOO_MANY_REQUESTS, INVALID_REQUEST),
        O::Reconnected | O::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, INTERNAL_ERROR),
    };
    (status, code, outcome.advice())
}

/// A JSON-RPC error message; `"id": null` where there is no request to name, which every client understands.
fn error_message(id: Option<&RequestId>, code: i32, text: &str) -> String {
    error_message_about(id, code, text, None)
}

fn error_message_about(id: Option<&RequestId>, code: i32, text: &str, outcome: Option<ReconnectOutcome>) -> String {
    #[derive(Serialize)]
    struct Message<'a> {
        jsonrpc: &'static str,
        id: Option<&'a RequestId>,
        error: Error<'a>,
    }
    #[derive(Serialize)]
    struct Error<'a> {
        code: i32,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<Data>,
    }
    #[derive(Serialize)]
    struct Data {
        outcome: ReconnectOutcome,
    }
    let data = outcome.map(|outcome| Data { outcome });
    let message = Message { jsonrpc: "2.0", id, error: Error { code, message: text, data } };
    serde_json::to_string(&message).expect("text and numbers are JSON")
}

/// The answer an inner service gets to a question that its client will not answer.
pub(crate) fn unanswered_message(id: &RequestId) -> String {
    error_message(Some(id), INTERNAL_ERROR, "The client cannot be asked: its session is over or owes too many answers")
}

/// The answer an inner service gets to a question that no client could read.
pub(crate) fn unreadable_message(id: Option<&RequestId>) -> String {
    error_message(id, INVALID_REQUEST, "The client was not asked: this is no JSON-RPC request")
}

/// The JSON-RPC error for a message of a batch that was refused, where others were not.
pub(crate) fn refused_in_batch_message(id: Option<&RequestId>, text: &str) -> String {
    error_message(id, INVALID_REQUEST, text)
}

/// The JSON-RPC error for a shaping call that was accepted and cannot be kept.
pub(crate) fn too_shapely_message(id: &RequestId) -> String {
    error_message(Some(id), INTERNAL_ERROR, "This session has more subscriptions than are kept; unsubscribe from some")
}

/// Tells a client that messages of its stream are gone.
pub(crate) fn gap_message() -> Bytes {
    Bytes::from_static(
        br#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"warning","logger":"tower-mcp-sessions","data":{"gap":true,"text":"Messages of this stream were dropped before they could be delivered"}}}"#,
    )
}

/// The JSON-RPC error that ends the stream of a request whose answer will never come.
pub(crate) fn broken_stream_message(id: &RequestId) -> String {
    orphaned_stream_message(Some(id))
}

/// The same where the request may not be known.
pub(crate) fn orphaned_stream_message(id: Option<&RequestId>) -> String {
    error_message(id, INTERNAL_ERROR, "The server failed before it finished this request; the session lives on")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_cannot_say_is_a_503_that_names_a_delay() {
        let response = Rejection::StoreUnavailable.answer(None);
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
        assert_eq!(response.extensions().get(), Some(&Rejection::StoreUnavailable));
    }

    #[test]
    fn an_error_without_a_request_has_a_null_id() {
        let text = error_message(None, -1, "a \"quoted\" text");
        assert_eq!(text, r#"{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"a \"quoted\" text"}}"#);
    }
}
