//! A page in a real Chromium, loaded from another origin, and the example server as it is.

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use serde_json::{Value, json};

use crate::dashboard::browser::Page;
use crate::harness::process::Process;
use crate::harness::replica::Replica;

const SCRIPT: &str = include_str!("page.js");

/// Loads the page from this origin and has it use the endpoint.
async fn visit(origin: &str, endpoint: &str) -> Value {
    let page = Page::open(&format!("{origin}/")).await;
    let script = format!(
        "const done = arguments[arguments.length - 1];
         visit({endpoint:?}).then(done, (error) => done(`failed: ${{error.message}}`))"
    );
    let told = page.run_async(&script).await;
    page.close().await;
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_a_named_origin_does_all_that_a_client_does_and_any_other_nothing() {
    let html = Html(format!("<!doctype html><title>elsewhere</title><script>{SCRIPT}</script>"));
    let site = Replica::serve(Router::new().route("/", get(|| async { html }))).await;
    let port = site.address.port();
    // One server, and two origins: of these one is named.
    let (named, other) = (format!("http://localhost:{port}"), format!("http://127.0.0.1:{port}"));
    let server = Process::server(&["--allow-origin", &named]).await;

    let told = visit(&named, &server.mcp()).await;
    let (opened, reconnected) = (&told["opened"], &told["reconnected"]);
    for handshake in [opened, reconnected] {
        assert_eq!((&handshake["status"], &handshake["confirmed"]), (&json!(200), &json!(202)), "{told}");
        assert!(handshake["token"].is_string(), "{told}");
    }
    assert_eq!(told["echo"], "hello");
    assert_eq!(told["heard"], "notifications/resources/list_changed");
    assert_eq!(told["steps"], json!([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, "counted to 10"]));
    for (refused, status) in [("unknown", 404), ("badToken", 403), ("before", 404)] {
        assert_eq!(told[refused]["status"], status, "{refused}: {told}");
        assert!(told[refused]["said"].as_str().is_some_and(|text| text.len() > 10), "{refused}: {told}");
    }
    let key = |handshake: &Value| handshake["id"].as_str().map(|id| id[..16].to_owned());
    assert!(key(opened).is_some() && key(opened) == key(reconnected), "the same session: {told}");
    assert_ne!(opened["id"], reconnected["id"], "under a new id");
    assert_eq!((&told["note"], &told["closed"]), (&json!("from a page"), &json!(204)));
    assert_eq!(told["modern"]["status"], 200, "{told}");
    assert!(told["modern"]["body"].as_str().is_some_and(|body| body.contains("modern")), "{told}");

    assert_eq!(visit(&other, &server.mcp()).await, "failed: Failed to fetch", "the browser says no more");
}
