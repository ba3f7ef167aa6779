//! The layer works wherever a tower service does: in axum, in a `ServiceBuilder`, on plain hyper, and called directly.

use std::fmt;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_mcp_sessions::body::RequestBody;

use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::inner::Scripted;
use crate::harness::raw::Client;
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
    let broken = service_fn(async |_: Request<RequestBody>| Err::<http::Response<Full<Bytes>>, _>(Broken(7)));
    let service = layer(&store).build().layer(broken);
    for body in [crate::harness::raw::initialize("2025-11-25"), crate::harness::raw::modern("echo")] {
        let request = Request::post("/mcp").header("host", "localhost").body(Full::new(Bytes::from(body.to_string())));
        let error = service.clone().oneshot(request.unwrap()).await.expect_err("the inner service failed");
        assert_eq!(error, Broken(7));
    }
    assert_eq!(store.counts().await, (0, 0));
}
