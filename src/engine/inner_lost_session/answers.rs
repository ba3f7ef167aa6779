//! What real servers answer, and what it means.

use http::StatusCode;

use super::Verdict::{Answer, Lost};
use super::{InnerAnswer, Verdict, verdict};
use crate::protocol::message::RequestId;

/// Server and version; status; whether `WWW-Authenticate` is there; body; verdict. The request's own id is 7.
type Row = (&'static str, u16, bool, &'static str, Verdict);

/// Seen on the wire: each server was run, and asked with an id it did not know (or none, or twice).
const SEEN: [Row; 18] = [
    (
        "TypeScript SDK 1.32.2, one transport, restarted",
        400,
        false,
        r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: Server not initialized"},"id":null}"#,
        Lost,
    ),
    (
        "TypeScript SDK 2.4.0, one transport, restarted",
        400,
        false,
        r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: Server not initialized"},"id":null}"#,
        Lost,
    ),
    (
        "TypeScript SDK 1.32.2, one transport, another's id",
        404,
        false,
        r#"{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}"#,
        Lost,
    ),
    (
        "TypeScript SDK 2.4.0, one transport, another's id",
        404,
        false,
        r#"{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}"#,
        Lost,
    ),
    (
        "TypeScript SDK 1.32.2, simpleStreamableHttp, restarted",
        404,
        false,
        r#"{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}"#,
        Lost,
    ),
    (
        "TypeScript SDK 1.32.2, simpleStreamableHttp, no id",
        400,
        false,
        r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"},"id":null}"#,
        Lost,
    ),
    (
        "TypeScript SDK 1.32.2, no id",
        400,
        false,
        r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: Mcp-Session-Id header is required"},"id":null}"#,
        Answer,
    ),
    (
        "TypeScript SDK 1.32.2, a second stream",
        409,
        false,
        r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Conflict: Only one SSE stream is allowed per session"},"id":null}"#,
        Answer,
    ),
    ("Python SDK 1.9.4, restarted", 400, false, "Bad Request: No valid session ID provided", Lost),
    ("Python SDK 1.9.4, after DELETE", 500, false, "Internal Server Error", Answer),
    (
        "Python SDK 1.30.0, restarted",
        404,
        false,
        r#"{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Session not found"}}"#,
        Lost,
    ),
    (
        "Python SDK 1.30.0, no id",
        400,
        false,
        r#"{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Bad Request: Missing session ID"}}"#,
        Answer,
    ),
    (
        "Python SDK 1.30.0, a second stream",
        409,
        false,
        r#"{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Conflict: Only one SSE stream is allowed per session"}}"#,
        Answer,
    ),
    (
        "Python SDK 2.3.0, restarted",
        404,
        false,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Session not found"}}"#,
        Lost,
    ),
    (
        "Python SDK 2.3.0, no id",
        400,
        false,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Bad Request: Missing session ID"}}"#,
        Answer,
    ),
    (
        "Python SDK 2.3.0, a method it does not know",
        200,
        false,
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"Method not found","data":"no/such"}}"#,
        Answer,
    ),
    (
        "a server behind this very layer, which echoes the id",
        404,
        false,
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32001,"message":"Session not found; start a new one with initialize, without an Mcp-Session-Id header"}}"#,
        Lost,
    ),
    (
        "a server behind this very layer, told a notification",
        404,
        false,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found; start a new one with initialize, without an Mcp-Session-Id header"}}"#,
        Lost,
    ),
];

/// Read in the sources of the version named. Of Java's serialised exception only the message is as it was read.
const READ: [Row; 26] = [
    ("rmcp 0.2.0 to 0.16.0, restarted", 401, false, "Unauthorized: Session not found", Lost),
    ("rmcp 0.2.0 to 0.16.0, no id", 401, false, "Unauthorized: Session ID is required", Answer),
    ("rmcp 1.0.0 to 3.11.0, restarted", 404, false, "Not Found: Session not found", Lost),
    ("rmcp 1.0.0 to 3.11.0, no id", 400, false, "Bad Request: Session ID is required", Answer),
    (
        "rmcp 3.11.0, a method it does not know",
        404,
        false,
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"Method not found"}}"#,
        Answer,
    ),
    ("mcp-go 0.36.0 and 0.43.0, restarted", 400, false, "Invalid session ID\n", Lost),
    ("mcp-go 0.58.0, restarted", 404, false, "Invalid session ID\n", Lost),
    ("mcp-go 0.58.0, after DELETE", 404, false, "Session terminated\n", Lost),
    ("mcp-go 0.58.0, a second stream", 400, false, "Session registration failed: session already exists\n", Answer),
    ("Go SDK 0.2.0 to 1.7.0, restarted", 404, false, "session not found\n", Lost),
    ("Go SDK 1.7.0, somebody else's session", 403, false, "session user mismatch\n", Answer),
    (
        "Go SDK 1.7.0, a method it does not know",
        404,
        false,
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"method not found: \"no/such\""}}"#,
        Answer,
    ),
    (
        "C# SDK 1.0.0, restarted",
        404,
        false,
        r#"{"error":{"code":-32001,"message":"Session not found"},"id":"","jsonrpc":"2.0"}"#,
        Lost,
    ),
    (
        "C# SDK 2.2.0, restarted, which echoes the id",
        404,
        false,
        r#"{"error":{"code":-32001,"message":"Session not found"},"id":7,"jsonrpc":"2.0"}"#,
        Lost,
    ),
    (
        "C# SDK 2.2.0, somebody else's session",
        403,
        false,
        r#"{"error":{"code":-32000,"message":"Forbidden: The currently authenticated user does not match the user who initiated the session."},"id":7,"jsonrpc":"2.0"}"#,
        Answer,
    ),
    (
        "Java SDK 2.0.1, restarted",
        404,
        false,
        r#"{"jsonRpcError":{"code":-32603,"message":"Session not found: 0ab0c0de"},"message":"Session not found: 0ab0c0de"}"#,
        Lost,
    ),
    ("Java SDK 2.0.1, restarted, GET", 404, false, "", Lost),
    (
        "Kotlin SDK 0.14.0, restarted",
        404,
        false,
        r#"{"id":null,"jsonrpc":"2.0","error":{"code":-32000,"message":"Session not found"}}"#,
        Lost,
    ),
    (
        "Kotlin SDK 0.14.0, one transport, restarted",
        400,
        false,
        r#"{"id":null,"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: Server not initialized"}}"#,
        Lost,
    ),
    (
        "PHP SDK 0.7.1, restarted",
        404,
        false,
        r#"{"jsonrpc":"2.0","id":"","error":{"code":-32600,"message":"Session not found or has expired."}}"#,
        Lost,
    ),
    (
        "Ruby SDK 1.3.0, restarted",
        404,
        false,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Session not found"}}"#,
        Lost,
    ),
    (
        "Swift SDK 0.12.0, restarted",
        400,
        false,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Bad Request: Session not initialized"}}"#,
        Lost,
    ),
    (
        "mcp-proxy 6.7.0 (FastMCP for TypeScript), restarted",
        404,
        false,
        r#"{"error":{"code":-32001,"message":"Session not found"},"id":null,"jsonrpc":"2.0"}"#,
        Lost,
    ),
    (
        "mcp-proxy 6.7.0 with OAuth, restarted: the client has to log in, or thinks so",
        401,
        true,
        r#"{"error":{"code":-32000,"message":"Unauthorized: No valid session ID provided"},"id":null,"jsonrpc":"2.0"}"#,
        Answer,
    ),
    (
        "mcp-proxy 6.7.0 with a key, restarted: it answers the request",
        401,
        false,
        r#"{"error":{"code":-32000,"message":"Unauthorized: No valid session ID provided"},"id":7,"jsonrpc":"2.0"}"#,
        Answer,
    ),
    ("supergateway 3.4.2, restarted, GET", 400, false, "Invalid or missing session ID", Lost),
];

/// As public reports and hand-written servers have them, and inputs that failed here.
const REPORTED: [Row; 12] = [
    (
        "affine-mcp-server 3.2.2, restarted",
        400,
        false,
        r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID or not an initialize request"},"id":null}"#,
        Lost,
    ),
    (
        "OmniRoute before its pull request 5191, restarted",
        400,
        false,
        r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: Unknown Mcp-Session-Id header"},"id":null}"#,
        Lost,
    ),
    ("a hand-written express server", 400, false, r#"{"error":"Invalid or missing session ID"}"#, Lost),
    ("a hand-written FastAPI server", 404, false, r#"{"detail":"Session not found"}"#, Lost),
    ("a hand-written server, in capitals", 403, false, "SESSION EXPIRED", Lost),
    ("an expired login", 401, true, r#"{"error":"invalid_token","error_description":"Session expired"}"#, Answer),
    ("an expired login in plain words", 401, false, "Unauthorized", Answer),
    ("a scope that is missing", 403, true, r#"{"error":"insufficient_scope"}"#, Answer),
    (
        "a tool that speaks of a session",
        400,
        false,
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"unknown argument: session"}}"#,
        Answer,
    ),
    (
        "a tool that lost a session of its own",
        400,
        false,
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"Session not found"}}"#,
        Answer,
    ),
    (
        "a tool that lost a session of its own, with status 200",
        200,
        false,
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"Session not found"}}"#,
        Answer,
    ),
    ("an upstream that is overloaded", 503, false, "Session not found", Answer),
];

#[test]
fn what_real_servers_answer_means_what_they_mean() {
    let own = RequestId::from_json(b"7");
    for (server, status, has_challenge, body, expected) in SEEN.into_iter().chain(READ).chain(REPORTED) {
        let status = StatusCode::from_u16(status).unwrap();
        let answer = InnerAnswer { status, has_challenge, body: body.as_bytes() };
        assert_eq!(verdict(&answer, own.as_ref()), expected, "{server}: {status} {body}");
    }
}

#[test]
fn an_unknown_method_is_an_answer_only_to_the_request_it_names() {
    let judged = |own: Option<&str>, id: &str| {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"no"}}}}"#);
        let own = own.and_then(|own| RequestId::from_json(own.as_bytes()));
        let answer = InnerAnswer { status: StatusCode::NOT_FOUND, has_challenge: false, body: body.as_bytes() };
        verdict(&answer, own.as_ref())
    };
    for (own, id) in
        [("7", "7"), ("7", "7.0"), (r#""7""#, r#""\u0037""#), ("18446744073709551615", "18446744073709551615")]
    {
        assert_eq!(judged(Some(own), id), Answer, "{own} and {id}");
    }
    for (own, id) in
        [("7", r#""7""#), (r#""7""#, "7"), ("7", "8"), ("7", "null"), ("18446744073709551615", "18446744073709551614")]
    {
        assert_eq!(judged(Some(own), id), Lost, "{own} and {id}");
    }
    assert_eq!(judged(None, "7"), Lost, "a notification has no id");
}

#[test]
fn no_body_can_do_harm() {
    let deep = "[".repeat(60_000);
    for body in [b"".as_slice(), b"null", b"\xff\xfeSession not found", deep.as_bytes(), b"{\"error\":{\"message\":7}}"]
    {
        for status in [400, 401, 403] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(verdict(&InnerAnswer { status, has_challenge: false, body }, None), Answer);
        }
    }
}
