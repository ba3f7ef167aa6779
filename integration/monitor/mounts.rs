//! Wherever it is mounted: under a prefix, as the only service of a plain hyper server, or the WebSocket alone at any path.

use axum::Router;
use http::StatusCode;
use serde_json::json;
use tower::Layer;
use tower_mcp_sessions::SessionLayer;
use tower_mcp_sessions::monitor::{Access, Role};

use super::socket::Knock;
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::inner::Scripted;
use crate::harness::raw::Client;
use crate::harness::replica::{Replica, layer};

on_every_backend! {
    under_a_prefix_of_axum,
    under_a_prefix_that_it_was_told,
    in_plain_hyper,
    the_feed_alone_at_any_path,
}

async fn sessions(backend: Backend) -> SessionLayer {
    layer(&backend.store().await).build()
}

async fn shows_sessions(replica: &Replica, prefix: &'static str) {
    let client = Client::of(replica).with("authorization", "Bearer of the tests");
    let health = client.at_path(format!("{prefix}/api/mcp/sessions/health")).get().await.whole().await;
    assert_eq!(health.status, StatusCode::OK, "{}", health.text());
    let mut events = client.at_path(format!("{prefix}/sse/sessions")).get().await.events();
    assert_eq!(events.next().await.unwrap()["mode"], "snapshot");
    let missing = client.at_path(format!("{prefix}/nothing")).get().await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    let path = format!("{prefix}/ws/sessions").leak();
    shows_feed(replica, path).await;
}

async fn shows_feed(replica: &Replica, path: &'static str) {
    let mut socket = Knock::at(replica).path(path).open().await.unwrap();
    socket.greet(json!({ "t": "hello", "token": "of the tests" })).await;
    assert_eq!(socket.update().await["mode"], "snapshot");
}

fn access() -> Access {
    Access::bearer("of the tests", Role::View)
}

async fn under_a_prefix_of_axum(backend: Backend) {
    let sessions = sessions(backend).await;
    let monitor = sessions.monitor().access(access()).build();
    let app = Router::new()
        .route_service("/mcp", sessions.layer(Scripted::with_sessions()))
        .nest_service("/ops/monitor", monitor.clone())
        .fallback_service(monitor);
    let replica = Replica::serve(app).await;
    Client::of(&replica).open("2025-11-25").await;
    shows_sessions(&replica, "/ops/monitor").await;
    shows_sessions(&replica, "").await;
    is_nowhere_else(&replica, &["/any/other", "/ops", "/ops/monitor/ops/monitor", "/ops/monitorX"]).await;
}

/// Below its mount everything is there; under any other prefix nothing is, with or without a token.
async fn is_nowhere_else(replica: &Replica, prefixes: &[&str]) {
    let paths =
        ["/", "/api/mcp/sessions", "/api/mcp/sessions/health", "/api/openapi.json", "/sse/sessions", "/ws/sessions"];
    for (prefix, path) in prefixes.iter().flat_map(|prefix| paths.map(|path| (prefix, path))) {
        let client = Client::of(replica).at_path(format!("{prefix}{path}"));
        for client in [client.with("authorization", "Bearer of the tests"), client] {
            assert_eq!(client.get().await.status, StatusCode::NOT_FOUND, "{prefix}{path}");
        }
    }
}

async fn under_a_prefix_that_it_was_told(backend: Backend) {
    let sessions = sessions(backend).await;
    let monitor = sessions.monitor().access(access()).mounted_at("/ops/monitor/").build();
    let fallback = Router::new().fallback_service(monitor.clone());
    let routes = Router::new()
        .route_service("/ops/monitor", monitor.clone())
        .route_service("/ops/monitor/", monitor.clone())
        .route_service("/ops/monitor/{*rest}", monitor.clone());
    for replica in [Replica::start(monitor).await, Replica::serve(fallback).await, Replica::serve(routes).await] {
        shows_sessions(&replica, "/ops/monitor").await;
        is_nowhere_else(&replica, &["", "/ops", "/any/ops/monitor", "/ops/monitorX", "/ops//monitor"]).await;
        let page = Client::of(&replica).at_path("/ops/monitor/").get().await;
        assert_eq!(page.status, StatusCode::OK);
        let moved = Client::of(&replica).at_path("/ops/monitor?q=x").get().await;
        assert_eq!(
            (moved.status, &moved.headers["location"]),
            (StatusCode::PERMANENT_REDIRECT, &"monitor/?q=x".parse().unwrap())
        );
    }
}

async fn in_plain_hyper(backend: Backend) {
    let sessions = sessions(backend).await;
    let replica = Replica::start(sessions.monitor().access(access()).build()).await;
    shows_sessions(&replica, "").await;
}

async fn the_feed_alone_at_any_path(backend: Backend) {
    let sessions = sessions(backend).await;
    let feed = sessions.monitor().access(access()).feed();
    let app = Router::new().route_service("/live", feed.clone()).nest_service("/deep/er", feed.clone());
    let replica = Replica::serve(app).await;
    shows_feed(&replica, "/live").await;
    shows_feed(&replica, "/deep/er/x").await;
    let plain = Client::of(&replica).at_path("/live").get().await;
    assert_eq!(plain.status, StatusCode::UPGRADE_REQUIRED);
    let replica = Replica::start(feed).await;
    shows_feed(&replica, "/").await;
    shows_feed(&replica, "/whatever").await;
}
