//! Everything comes from the page's own server, from below where it is mounted; and the browser finds nothing to object to.

use axum::Router;
use tower::Layer;
use tower_mcp_sessions::SessionLayer;
use tower_mcp_sessions::monitor::Role;

use super::browser::Page;
use crate::harness::backend::Backend;
use crate::harness::inner::Scripted;
use crate::harness::login::everybody_as;
use crate::harness::raw::Client;
use crate::harness::replica::{Replica, layer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_prefix_everything_is_asked_below_it() {
    let sessions: SessionLayer = layer(&Backend::Memory.store().await).build();
    let monitor = sessions.monitor().access(everybody_as(Role::View)).mounted_at("/ops/sessions").build();
    let app = Router::new().route_service("/mcp", sessions.layer(Scripted::with_sessions())).fallback_service(monitor);
    let replica = Replica::serve(app).await;
    Client::of(&replica).open("2025-11-25").await;
    let page = Page::open(&format!("http://{}/ops/sessions", replica.address)).await;
    page.until("it is live", "return document.querySelector('#state').dataset.state === 'live'").await;
    page.until("its day is there", "return document.querySelector('#hours svg') !== null").await;
    page.until("the row is there", "return document.querySelectorAll('#rows tr').length === 1").await;
    page.click("#rows button").await;
    page.until("a session is open", "return document.querySelectorAll('#drawer .timeline li').length === 1").await;
    let base = format!("http://{}/ops/sessions/", replica.address);
    assert!(page.address().await.starts_with(&base));
    let asked = page.run("return performance.getEntriesByType('resource').map((entry) => entry.name)").await;
    let asked: Vec<&str> = asked.as_array().expect("a list").iter().filter_map(|name| name.as_str()).collect();
    assert!(asked.len() >= 20, "{asked:?}");
    for name in &asked {
        assert!(name.starts_with(&base), "{name}");
    }
    assert_eq!(page.complaints().await, Vec::<String>::new());

    // What somebody would put into the page does not run.
    let script =
        "document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.owned = 1' }));
        const link = document.createElement('img'); link.src = 'http://localhost:9/x.png'; document.body.append(link);
        return window.owned ?? 'no'";
    assert_eq!(page.run(script).await, "no");
    page.until("the policy was asked", "return true").await;
    let refused = page.complaints().await;
    assert!(
        refused.iter().any(|text| text.contains("Content Security Policy") && text.contains("script-src")),
        "{refused:?}"
    );
    assert!(refused.iter().any(|text| text.contains("img-src")), "{refused:?}");
    page.close().await;
}
