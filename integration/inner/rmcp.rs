//! A real inner service, rmcp with its own sessions: on a replica that never saw the client, its tools find the client's
//! name, capabilities and version as they were in the handshake.

use std::sync::Arc;

use http::StatusCode;
use http::request::Parts;
use rmcp::handler::server::ServerHandler;
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer};
use serde_json::{Value, json};
use tower::Layer;
use tower_mcp_sessions::McpSession;

use crate::harness::backend::{Backend, SharedStore, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::log::Log;
use crate::harness::raw::{Client, Session, initialize, request};
use crate::harness::replica::{Replica, layer};

on_every_backend! {
    a_rehydrated_rmcp_session_knows_its_client,
    an_rmcp_service_that_restarted_is_told_again,
    an_rmcp_service_that_refuses_a_host_is_warned_of,
}

/// Says what it knows of its caller.
struct WhoAmI;

impl ServerHandler for WhoAmI {
    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let client = context.peer.peer_info();
        let key = context.extensions.get::<Parts>().and_then(|parts| parts.extensions.get::<McpSession>());
        let known = json!({ "client": client.as_deref(), "key": key.map(|session| session.key().to_string()) });
        Ok(CallToolResult::success(vec![ContentBlock::text(known.to_string())]).into())
    }
}

async fn replica(store: &SharedStore) -> (Replica, Arc<LocalSessionManager>) {
    let sessions = Arc::<LocalSessionManager>::default();
    let config = StreamableHttpServerConfig::default().disable_allowed_hosts();
    let service = StreamableHttpService::new(|| Ok(WhoAmI), Arc::clone(&sessions), config);
    (Replica::start_in_axum(layer(store).build().layer(service)).await, sessions)
}

async fn who_am_i(session: &Session) -> Value {
    let call = request(5, "tools/call", json!({ "name": "whoami", "arguments": {} }));
    let answer = session.client.post(&call).await;
    assert_eq!(answer.status, StatusCode::OK);
    let is_stream = answer.headers["content-type"] == "text/event-stream";
    let message = if is_stream { answer.events().next().await.expect("a result") } else { answer.whole().await.json() };
    serde_json::from_str(message["result"]["content"][0]["text"].as_str().expect("a text")).unwrap()
}

fn assert_known(known: &Value, session: &Session) {
    assert_eq!(known["client"]["clientInfo"], json!({ "name": "raw", "version": "1.2.3" }));
    assert_eq!(known["client"]["capabilities"]["roots"]["listChanged"], true);
    assert_eq!(known["client"]["protocolVersion"], "2025-06-18");
    assert_eq!(known["key"], session.key());
}

/// rmcp as it comes answers loopback names alone, whatever the layer lets in.
async fn an_rmcp_service_that_refuses_a_host_is_warned_of(backend: Backend) {
    let log = Log::capture_ours();
    let store = backend.store().await;
    let sessions = Arc::<LocalSessionManager>::default();
    let service = StreamableHttpService::new(|| Ok(WhoAmI), sessions, StreamableHttpServerConfig::default());
    let sessions = layer(&store).allow_host("mcp.example.com").build();
    let replica = Replica::start_in_axum(sessions.layer(service)).await;
    let warned = |host: &str| {
        let host = format!("host=\"{host}\"");
        let told = ["WARN", &host, "the inner service refused an initialize", "disable_allowed_hosts"];
        log.text().lines().any(|line| told.iter().all(|part| line.contains(part)))
    };
    let own = replica.address.to_string();
    assert_eq!(Client::of(&replica).with("host", &own).post(&initialize("2025-11-25")).await.status, StatusCode::OK);
    assert!(!warned(&own), "{}", log.text());
    let named = format!("mcp.example.com:{}", replica.address.port());
    let refused = Client::of(&replica).with("host", &named).post(&initialize("2025-11-25")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(warned(&named), "{}", log.text());
}

async fn a_rehydrated_rmcp_session_knows_its_client(backend: Backend) {
    let store = backend.store().await;
    let (here, _) = replica(&store).await;
    let (there, there_inside) = replica(&store).await;
    let session = Client::of(&here).open("2025-06-18").await;
    assert_known(&who_am_i(&session).await, &session);
    let elsewhere = session.at(&there);
    assert_known(&who_am_i(&elsewhere).await, &session);
    assert_eq!(there_inside.sessions.read().await.len(), 1);
    assert_eq!(elsewhere.delete().await.status, StatusCode::NO_CONTENT);
    eventually("rmcp's own session is closed", async || there_inside.sessions.read().await.is_empty()).await;
}

async fn an_rmcp_service_that_restarted_is_told_again(backend: Backend) {
    let store = backend.store().await;
    let (here, inside) = replica(&store).await;
    let session = Client::of(&here).open("2025-06-18").await;
    inside.sessions.write().await.clear();
    assert_known(&who_am_i(&session).await, &session);
    assert_eq!(inside.sessions.read().await.len(), 1);
}
