use axum::{Json, handler::HandlerWithoutStateExt};
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::time::Instant;
use tower::{Layer, Service, ServiceExt};
use tower_mcp_sessions::{SessionLayer, store::MemoryStore};
async fn answer(Json(message): Json<Value>) -> Json<Value> {
    let result = if message["method"] == "initialize" {
        json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": { "name": "bench", "version": "0" } })
    } else {
        let arguments = &message["params"]["arguments"];
        let sum = arguments["a"].as_i64().unwrap_or(0) + arguments["b"].as_i64().unwrap_or(0);
        json!({ "content": [{ "type": "text", "text": sum.to_string() }] })
    };
    Json(json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }))
}
fn req(body: &'static str, id: Option<&HeaderValue>) -> Request<axum::body::Body> {
    let mut r = Request::post("/mcp")
        .header("host", "127.0.0.1")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-11-25");
    if let Some(id) = id {
        r = r.header("mcp-session-id", id);
    }
    r.body(axum::body::Body::new(Full::from(body))).unwrap()
}
fn main() {
    let rt = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    rt.block_on(rt.spawn(async {
        let layer = SessionLayer::builder(MemoryStore::new()).build();
        let mut svc = axum::Router::new().route_service("/mcp", layer.layer(answer.into_service()));
        let r: Response<axum::body::Body> = svc.call(req(r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#, None)).await.unwrap();
        let id = r.headers()["mcp-session-id"].clone();
        const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2},"_meta":{"progressToken":7}}}"#;
        let mut bare = axum::Router::new().route_service("/mcp", answer.into_service());
        let n = 200_000;
        for round in 0..6 {
            let t = Instant::now();
            for _ in 0..n { let r: Response<axum::body::Body> = bare.call(req(CALL, Some(&id))).await.unwrap(); assert_eq!(r.status(), 200); r.into_body().collect().await.unwrap(); }
            let b = t.elapsed().as_nanos() as f64 / n as f64;
            let t = Instant::now();
            for i in 0..n { let r: Response<axum::body::Body> = svc.call(req(CALL, Some(&id))).await.unwrap(); assert_eq!(r.status(), 200); r.into_body().collect().await.unwrap(); if i % 1000 == 0 { tokio::task::yield_now().await } }
            let l = t.elapsed().as_nanos() as f64 / n as f64;
            println!("{round}: bare {b:.0} ns, layer {l:.0} ns, cost {:.0} ns", l - b);
        }
        if std::env::args().any(|a| a == "--hot") { for i in 0..3_000_000u64 { let r: Response<axum::body::Body> = svc.call(req(CALL, Some(&id))).await.unwrap(); r.into_body().collect().await.unwrap(); if i % 1000 == 0 { tokio::task::yield_now().await } } }
    })).unwrap();
}
