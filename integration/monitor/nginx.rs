//! Behind nginx everybody comes from this machine, and with its settings since 1.29.7 there is nothing to see of it: who comes so
//! sees counts at most, and never acts.

use http::{Method, StatusCode};
use serde_json::json;
use tower_mcp_sessions::monitor::{Access, MonitorBuilder, Role};

use super::trio;
use crate::harness::backend::Backend;
use crate::harness::nginx::Nginx;
use crate::harness::raw::Client;

/// Everything is allowed that can be, to whoever has the token.
fn open(monitor: MonitorBuilder) -> MonitorBuilder {
    let access = Access::local_view().or(Access::bearer("of the tests", Role::Admin));
    monitor.access(access).allow_terminate(true)
}

#[tokio::test]
async fn behind_nginx_as_it_was_nobody_is_local() {
    let trio = trio(Backend::Memory, open).await;
    let nginx = Nginx::in_front_of(trio.replicas[0].address, "").await;
    let session = Client::to(nginx.address).with("x-user", "alice").open("2025-11-25").await;
    let client = Client::to(nginx.address);
    for path in [
        "/api/mcp/sessions/health",
        "/api/mcp/sessions",
        "/api/mcp/sessions/events",
        "/sse/sessions",
        "/api/openapi.json",
    ] {
        assert_eq!(client.at_path(path).get().await.status, StatusCode::FORBIDDEN, "{path}");
    }
    acts_with_the_token_alone(&client, session.key()).await;
}

#[tokio::test]
async fn behind_nginx_that_cannot_be_seen_there_are_counts_and_nothing_else() {
    let trio = trio(Backend::Memory, open).await;
    let directives = "proxy_http_version 1.1; proxy_set_header Connection \"\";";
    let nginx = Nginx::in_front_of(trio.replicas[0].address, directives).await;
    let session = Client::to(nginx.address).with("x-user", "alice").open("2025-11-25").await;
    let client = Client::to(nginx.address);
    let health = client.at_path("/api/mcp/sessions/health").get().await.whole().await;
    assert_eq!(health.status, StatusCode::OK, "{}", health.text());
    assert_eq!(health.json()["status_breakdown"]["active"], 1);
    let events = client.at_path("/api/mcp/sessions/events").get().await.whole().await;
    for told in [&health, &events] {
        assert!(!told.text().contains(session.key()) && !told.text().contains("alice"), "{}", told.text());
    }
    for path in ["/api/mcp/sessions".to_owned(), format!("/api/mcp/sessions/{}", session.key())] {
        assert_eq!(client.at_path(path.clone()).get().await.status, StatusCode::FORBIDDEN, "{path}");
    }
    acts_with_the_token_alone(&client, session.key()).await;
}

async fn acts_with_the_token_alone(client: &Client, key: &str) {
    let own = client.at_path(format!("/api/mcp/sessions/{key}"));
    let token = client.at_path(format!("/api/mcp/sessions/{key}/token"));
    assert_eq!(own.delete().await.status, StatusCode::FORBIDDEN);
    assert!(matches!(token.get().await.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND));
    let wrong = client.at_path("/api/access").send(Method::POST, json!({ "code": "x" }).to_string()).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert_eq!(own.with("authorization", "Bearer of the tests").delete().await.status, StatusCode::NO_CONTENT);
}
