//! A session whose client comes back with its token.

use std::convert::Infallible;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt};
use tower_mcp_sessions::body::RequestBody;
use tower_mcp_sessions::store::MemoryStore;
use tower_mcp_sessions::{RateLimits, ReconnectKeys, SessionLayer};

type Body = Full<bytes::Bytes>;

const ID: &str = "mcp-session-id";
const TOKEN: &str = "mcp-reconnect-token";
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"app","version":"1"}}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"app","version":"1"}}}"#;
const PING: &str = r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#;
const PONG: &str = r#"{"jsonrpc":"2.0","id":2,"result":{}}"#;

pub async fn a_token_gets_the_session_back() {
    let keys = ReconnectKeys::random().expect("randomness");
    let sessions = SessionLayer::builder(MemoryStore::new()).reconnect(keys).rate_limits(RateLimits::off()).build();
    let mut server = sessions.layer(tower::service_fn(answer));
    let opened = post(&mut server, INITIALIZE, &[]).await;
    let back = post(&mut server, INITIALIZE, &[(TOKEN, header(&opened, TOKEN))]).await;
    assert_eq!((opened.status(), back.status()), (StatusCode::OK, StatusCode::OK));
    let (old, new) = (header(&opened, ID), header(&back, ID));
    assert!(old != new && old[..16] == new[..16], "the same session under another id");
    assert_eq!(post(&mut server, PING, &[(ID, new)]).await.status(), StatusCode::OK);
    assert_eq!(post(&mut server, PING, &[(ID, old)]).await.status(), StatusCode::NOT_FOUND);
    let again = post(&mut server, INITIALIZE, &[(TOKEN, header(&opened, TOKEN))]).await;
    assert_eq!(again.status(), StatusCode::CONFLICT, "a token is good once");
    let forged = header(&back, TOKEN).replace('.', "..");
    assert_eq!(post(&mut server, INITIALIZE, &[(TOKEN, &forged)]).await.status(), StatusCode::FORBIDDEN);
    sessions.shutdown().await;
}

/// The MCP server inside.
async fn answer(request: Request<RequestBody>) -> Result<Response<Body>, Infallible> {
    let message = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let has = |method: &str| message.windows(method.len()).any(|part| part == method.as_bytes());
    let (status, text) = match () {
        () if has("\"initialize\"") => (StatusCode::OK, INITIALIZED),
        () if has("\"ping\"") => (StatusCode::OK, PONG),
        () => (StatusCode::ACCEPTED, ""),
    };
    let response = Response::builder().status(status).header("content-type", "application/json");
    Ok(response.body(Body::from(text)).expect("a response"))
}

async fn post<S, B>(server: &mut S, body: &'static str, headers: &[(&str, &str)]) -> Response<B>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
{
    let request = Request::post("/mcp").header("host", "localhost").header("content-type", "application/json");
    let request = request.header("accept", "application/json, text/event-stream");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let request = request.body(Body::from(body)).expect("a request");
    server.ready().await.expect("ready").call(request).await.expect("an answer")
}

fn header<'a, B>(response: &'a Response<B>, name: &str) -> &'a str {
    response.headers().get(name).unwrap_or_else(|| panic!("no {name}")).to_str().expect("text")
}
