//! `GET /api/mcp/sessions/health`: the shape its consumers have always known.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tower_mcp_sessions::monitor::Role;
use tower_mcp_sessions::store::AgeLimits;

use super::{api, open_trio};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::login::everybody_as;
use crate::harness::trio::Trio;

on_every_backend! {
    health_has_the_known_shape,
    health_counts_what_happened,
    ages_are_what_the_operator_says,
    health_is_not_sent_again_to_who_has_it,
    health_says_that_the_store_is_away,
}

/// The fields of DESIGN and what they hold. More may stand beside them.
const SHAPE: &[(&str, Kind)] = &[
    ("/status_breakdown/active", Kind::Count),
    ("/status_breakdown/disconnected", Kind::Count),
    ("/status_breakdown/total", Kind::Count),
    ("/age_distribution/healthy", Kind::Count),
    ("/age_distribution/aging", Kind::Count),
    ("/age_distribution/stale", Kind::Count),
    ("/connection_health/avg_duration_seconds", Kind::Count),
    ("/connection_health/sessions_per_hour", Kind::Number),
    ("/connection_health/disconnect_rate_percent", Kind::Number),
    ("/connection_health/total_sessions_24h", Kind::Count),
    ("/recent_activity/0/session_id", Kind::Text),
    ("/recent_activity/0/client_type", Kind::Text),
    ("/recent_activity/0/status", Kind::Text),
    ("/recent_activity/0/age_minutes", Kind::Count),
    ("/recent_activity/0/uptime_minutes", Kind::Count),
    ("/timestamp", Kind::Text),
];

enum Kind {
    Count,
    Number,
    Text,
}

async fn health_has_the_known_shape(backend: Backend) {
    let trio = open_trio(backend).await;
    let session = trio.open().await;
    let answer = api(&trio.replicas[1], "/health").get().await.whole().await;
    assert_eq!((answer.status, answer.headers["content-type"].as_bytes()), (StatusCode::OK, &b"application/json"[..]));
    let health = answer.json();
    for (path, kind) in SHAPE {
        let field = health.pointer(path).unwrap_or_else(|| panic!("no {path} in {health}"));
        let fits = match kind {
            Kind::Count => field.is_u64(),
            Kind::Number => field.is_number(),
            Kind::Text => field.is_string(),
        };
        assert!(fits, "{path} is {field}");
    }
    let breakdown = json!({ "active": 1, "disconnected": 0, "total": 1 });
    assert_eq!(health["status_breakdown"], breakdown, "as `jq .status_breakdown` shows it");
    assert_eq!(health["age_distribution"], json!({ "healthy": 1, "aging": 0, "stale": 0 }));
    let recent = &health["recent_activity"];
    assert_eq!(recent.as_array().unwrap().len(), 1);
    assert_eq!(
        (&recent[0]["session_id"], &recent[0]["client_type"], &recent[0]["status"]),
        (&json!(session.key()), &json!("raw"), &json!("active"))
    );
    let stamp = health["timestamp"].as_str().unwrap();
    assert!(stamp.len() == 24 && stamp.ends_with('Z') && stamp.as_bytes()[10] == b'T', "{stamp}");
    assert!(!answer.text().contains(&session.id), "the secret is nowhere");
}

async fn ages_are_what_the_operator_says(backend: Backend) {
    let limits = AgeLimits { healthy: Duration::from_millis(1), stale: Duration::from_millis(2) };
    let options = move |_, builder: tower_mcp_sessions::SessionLayerBuilder| builder.age_limits(limits);
    let trio = Trio::monitored(backend.store().await, options, |m| m.access(everybody_as(Role::View))).await;
    trio.open().await;
    let look = async || api(&trio.replicas[1], "/health").get().await.whole().await.json();
    assert_eq!(look().await["age_limits"], json!({ "healthy_ms": 1, "stale_ms": 2 }));
    let stale = json!({ "healthy": 0, "aging": 0, "stale": 1 });
    eventually("it is stale", async || look().await["age_distribution"] == stale).await;
    let listed = async |age: &str| {
        let page = api(&trio.replicas[2], &format!("?age={age}")).get().await.whole().await.json();
        page["sessions"].as_array().expect("a page").len()
    };
    assert_eq!((listed("healthy").await, listed("stale").await), (0, 1));
}

async fn health_counts_what_happened(backend: Backend) {
    let idle = |_, builder: tower_mcp_sessions::SessionLayerBuilder| builder.idle_timeout(Duration::from_secs(1));
    let trio = Trio::monitored(backend.store().await, idle, |m| m.access(everybody_as(Role::View))).await;
    for _ in 0..4 {
        trio.open().await;
    }
    let ended = trio.open().await;
    ended.delete().await;
    let look = async || api(&trio.replicas[2], "/health").get().await.whole().await.json();
    eventually("all are idle", async || look().await["status_breakdown"]["disconnected"] == 4).await;
    let health = look().await;
    assert_eq!(health["status_breakdown"], json!({ "active": 0, "disconnected": 4, "total": 4 }));
    let connections = &health["connection_health"];
    assert_eq!(connections["total_sessions_24h"], 5);
    assert_eq!(connections["sessions_per_hour"], json!(0.21));
    assert_eq!(connections["disconnect_rate_percent"], json!(100.0));
    assert_eq!(health["age_distribution"], json!({ "healthy": 4, "aging": 0, "stale": 0 }));
    for replica in &trio.replicas {
        let mut other = api(replica, "/health").get().await.whole().await.json();
        other["timestamp"] = health["timestamp"].clone();
        assert_eq!(other, health, "every replica says the same");
    }
}

async fn health_is_not_sent_again_to_who_has_it(backend: Backend) {
    let trio = open_trio(backend).await;
    trio.open().await;
    let client = api(&trio.replicas[0], "/health");
    let first = client.get().await.whole().await;
    let tag = first.headers["etag"].to_str().unwrap().to_owned();
    for known in [tag.clone(), format!("\"other\", {tag}"), format!("W/{tag}"), "*".to_owned()] {
        // On any replica: it names what is told, not who tells it.
        let again = client.at(&trio.replicas[1]).with("if-none-match", &known).get().await.whole().await;
        assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0), "{known}");
        assert_eq!(again.headers["etag"], tag.as_str());
    }
    trio.open().await;
    let changed = client.with("if-none-match", &tag).get().await.whole().await;
    assert_eq!(changed.status, StatusCode::OK);
    assert_ne!(changed.headers["etag"], tag.as_str());
}

async fn health_says_that_the_store_is_away(backend: Backend) {
    let trio = open_trio(backend).await;
    trio.store.set_down(true);
    for path in ["", "/health", "/AAAAAAAAAAAAAAAA", "/events"] {
        let answer = api(&trio.replicas[0], path).get().await.whole().await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(answer.headers.contains_key("retry-after"), "{path}");
        assert!(matches!(answer.json()["error"], Value::String(_)));
    }
    trio.store.set_down(false);
    assert_eq!(api(&trio.replicas[0], "/health").get().await.status, StatusCode::OK);
}
