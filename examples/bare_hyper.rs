//! The layer without any framework: a hand-written MCP handler that knows nothing of sessions, served by plain hyper.
//!
//! The handler keeps a visit counter in the session's data. It answers `initialize`, `ping` and `tools/call`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tower::ServiceBuilder;
use tower_mcp_sessions::body::RequestBody;
use tower_mcp_sessions::store::MemoryStore;
use tower_mcp_sessions::{McpSession, PeerAddr, SessionLayer, shutdown_signal};

#[path = "support/staged_close.rs"]
#[allow(dead_code, reason = "it has a listener for axum, too")]
mod staged_close;
use staged_close::StagedClose;

/// A hand-written MCP handler behind the session layer, on plain hyper.
#[derive(Parser)]
struct Options {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:8933")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    let sessions = SessionLayer::builder(MemoryStore::new()).build();
    let service = ServiceBuilder::new().layer(sessions.clone()).service_fn(answer);
    let listener = tokio::net::TcpListener::bind(options.listen).await;
    let listener = listener.map_err(|error| format!("cannot listen on {}: {error}", options.listen))?;
    let mut told_to_leave = shutdown_signal()?;
    println!("listening on http://{}", listener.local_addr()?);
    let connections = GracefulShutdown::new();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted?,
            _ = &mut told_to_leave => break,
        };
        stream.set_nodelay(true)?;
        let service = ServiceBuilder::new()
            .map_request(move |mut request: Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(PeerAddr(peer));
                request
            })
            .service(service.clone());
        let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
        let connection =
            server.serve_connection(TokioIo::new(StagedClose::new(stream)), TowerToHyperService::new(service));
        let connection = connections.watch(connection.into_owned());
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("connection of {peer}: {error}");
            }
        });
    }
    sessions.close_streams();
    if tokio::time::timeout(Duration::from_secs(9), connections.shutdown()).await.is_err() {
        eprintln!("connections were still open; leaving anyway");
    }
    sessions.shutdown().await;
    Ok(())
}

/// One JSON-RPC message in, one out. No session is made, stored or looked up here.
async fn answer(request: Request<RequestBody>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let result = match message["method"].as_str() {
        Some("initialize") => Ok(json!({
            "protocolVersion": "2025-11-25",
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "bare_hyper", "version": env!("CARGO_PKG_VERSION") },
        })),
        Some("ping") => Ok(json!({})),
        Some("tools/list") => Ok(json!({ "tools": [
            { "name": "visit", "description": "Counts this session's visits", "inputSchema": { "type": "object" } },
        ]})),
        Some("tools/call") => visit(&parts).await,
        Some(method) => Err(json!({ "code": -32601, "message": format!("no method {method}") })),
        None => return Ok(empty(StatusCode::BAD_REQUEST)),
    };
    let Some(id) = message.get("id") else { return Ok(empty(StatusCode::ACCEPTED)) };
    let answer = match result {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(error) => json!({ "jsonrpc": "2.0", "id": id, "error": error }),
    };
    let mut response = Response::new(Full::from(answer.to_string()));
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    Ok(response)
}

async fn visit(parts: &http::request::Parts) -> Result<Value, Value> {
    let unkept = |error: tower_mcp_sessions::SessionDataError| json!({ "code": -32603, "message": error.to_string() });
    let session = parts.extensions.get::<McpSession>().ok_or(json!({ "code": -32600, "message": "no session" }))?;
    let visits = session.get::<u32>("visits").await.map_err(unkept)?.unwrap_or(0) + 1;
    session.insert("visits", &visits).await.map_err(unkept)?;
    Ok(json!({ "content": [{ "type": "text", "text": format!("visit {visits}") }] }))
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
