//! The layer works wherever a tower service does: in axum, in a `ServiceBuilder`, on plain hyper, and called directly.

use std::fmt;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_mcp_sessions::Rejection;
use tower_mcp_sessions::body::RequestBody;

use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::inner::Scripted;
use crate::harness::raw::{Client, SESSION_ID, initialize, modern, request};
use crate::harness::replica::{Replica, layer};

on_every_backend! {
    a_session_lives_its_life_behind_any_framework,
    the_inner_services_error_passes_unchanged,
}

async fn a_session_lives_its_life_behind_any_framework(backend: Backend) {
    let (store, inner) = (backend.store().await, Scripted::with_sessions());
    let layer = layer(&store).build();
    let stack = ServiceBuilder::new().layer(layer.clone()).concurrency_limit(100).service(inner.clone());
    let replicas = [
        Replica::start_in_axum(layer.layer(inner.clone())).await,
        Replica::start(layer.layer(inner.clone())).await,
        Replica::start(stack).await,
    ];
    for replica in &replicas {
        let session = Client::of(replica).open("2025-11-25").await;
        assert!(session.works().await);
        assert!(session.at(&replicas[0]).works().await, "all of them are one layer");
        let mut listening = session.listen().await;
        assert_eq!(listening.next().await.unwrap()["params"]["data"], "listening");
        assert_eq!(session.delete().await.status, StatusCode::NO_CONTENT);
        assert_eq!(listening.next().await, None);
        assert_eq!(session.status().await, StatusCode::NOT_FOUND);
    }
    eventually("the inner sessions are closed", async || inner.sessions() == 0).await;
}

/// An error with nothing but an identity.
#[derive(Debug, PartialEq, Eq)]
struct Broken(u32);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken: {}", self.0)
    }
}

impl std::error::Error for Broken {}

async fn the_inner_services_error_passes_unchanged(backend: Backend) {
    let store = backend.store().await;
    let capricious = service_fn(async |request: Request<RequestBody>| {
        let is_initialize = request.headers().contains_key("x-initialize");
        let accepted = r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{}}}"#;
        if is_initialize { Ok(Response::new(Full::new(Bytes::from(accepted)))) } else { Err(Broken(7)) }
    });
    let service = layer(&store).build().layer(capricious);
    let post = |header: &'static str, value: &HeaderValue, body: Value| {
        let request = Request::post("/mcp").header("host", "localhost").header(header, value);
        request.body(Full::new(Bytes::from(body.to_string()))).unwrap()
    };
    let none = HeaderValue::from_static("");
    let opened = service.clone().oneshot(post("x-initialize", &none, initialize("2025-11-25"))).await.unwrap();
    let id = &opened.headers()[SESSION_ID];
    for failing in [
        post("x-other", &none, initialize("2025-11-25")),
        post("x-other", &none, modern("echo")),
        post("mcp-session-id", id, request(1, "echo", json!({}))),
    ] {
        assert_eq!(service.clone().oneshot(failing).await.expect_err("the inner service failed"), Broken(7));
    }
    let refused = service.oneshot(post("mcp-session-id", &none, request(1, "echo", json!({})))).await.unwrap();
    assert_eq!(refused.extensions().get(), Some(&Rejection::SessionIdAmbiguous), "layers outside can see why");
    assert_eq!(store.counts().await, (1, 0));
}
