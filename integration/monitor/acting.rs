//! What may be done, and by whom: sessions are ended by operators where that is allowed, tokens go to the holder, and no other
//! site writes anything.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tower_mcp_sessions::monitor::{Access, MonitorBuilder, Role};
use tower_mcp_sessions::{RateLimits, ReconnectKeys, SessionLayerBuilder};

use super::{api, trio};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::{soon, within};
use crate::harness::login::everybody_as;
use crate::harness::raw::{Client, SESSION_ID};
use crate::harness::trio::Trio;

on_every_backend! {
    a_session_is_ended_by_an_operator_where_that_is_allowed,
    an_end_holds_on_every_replica_and_closes_the_streams,
    a_public_key_buys_no_token,
    other_sites_write_nothing,
}

/// How old a verdict from a cache may be, and what a busy machine takes to ask again.
const BOUND: Duration = Duration::from_secs(3);

type Options = fn(MonitorBuilder) -> MonitorBuilder;

fn admins(monitor: MonitorBuilder) -> MonitorBuilder {
    monitor.access(everybody_as(Role::Admin)).allow_terminate(true)
}

fn with_tokens(_: usize, builder: SessionLayerBuilder) -> SessionLayerBuilder {
    let keys = ReconnectKeys::new("first", b"of the monitor's tests, 32 bytes or more").expect("a good key");
    builder.reconnect(keys).rate_limits(RateLimits::off())
}

async fn a_session_is_ended_by_an_operator_where_that_is_allowed(backend: Backend) {
    let cases: [(Options, u16); 6] = [
        (|m| m, 403),
        (|m| m.allow_terminate(true), 403),
        (|m| m.access(everybody_as(Role::View)).allow_terminate(true), 403),
        (|m| m.access(everybody_as(Role::Admin)), 403),
        (|m| m.access(Access::local_view()).allow_terminate(true), 403),
        (admins, 204),
    ];
    for (monitor, status) in cases {
        let trio = trio(backend, monitor).await;
        let session = trio.open().await;
        let path = format!("/{}", session.key());
        let answer = api(&trio.replicas[1], &path).delete().await.whole().await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
        match status {
            204 => drop(within(BOUND, "it has ended", async || !session.works().await).await),
            _ => assert!(session.works().await, "what is refused ends nothing"),
        }
    }
}

async fn an_end_holds_on_every_replica_and_closes_the_streams(backend: Backend) {
    let trio = trio(backend, admins).await;
    let everywhere = trio.open_everywhere().await;
    let listening = everywhere[0].listen().await;
    let path = format!("/{}", everywhere[0].key());
    let answer = api(&trio.replicas[1], &path).delete().await.whole().await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::NO_CONTENT, 0));
    for session in &everywhere {
        within(BOUND, "it has ended", async || session.status().await == StatusCode::NOT_FOUND).await;
    }
    soon("the stream closes", listening.rest()).await;
    for replica in &trio.replicas {
        assert_eq!(api(replica, &path).get().await.status, StatusCode::NOT_FOUND);
        assert_eq!(api(replica, &path).delete().await.status, StatusCode::NOT_FOUND, "once");
    }
    assert_eq!(trio.store.counts().await, (0, 0));
}

async fn a_public_key_buys_no_token(backend: Backend) {
    let trio = Trio::monitored(backend.store().await, with_tokens, |m| m.access(everybody_as(Role::View))).await;
    let (session, other) = (trio.open().await, trio.open().await);
    let own = api(&trio.replicas[1], &format!("/{}/token", session.key()));
    let refused = own.get().await.whole().await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text());
    assert!(!refused.text().contains("reconnect_token"));
    for (id, status) in [(other.id.as_str(), 404), ("AAAAAAAAAAAAAAAA", 404), (session.key(), 404), ("", 403)] {
        let answer = own.with(SESSION_ID, id).get().await.whole().await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
    }
    let stolen = own.with(SESSION_ID, &session.id).with("x-user", "somebody else").get().await;
    assert_eq!(stolen.status, StatusCode::NOT_FOUND, "another principal's session is nobody's");
    let given = own.with(SESSION_ID, &session.id).get().await.whole().await;
    assert_eq!(given.status, StatusCode::OK, "{}", given.text());
    assert_eq!(given.headers["cache-control"], "no-store");
    let token = given.json()["reconnect_token"].as_str().expect("a token").to_owned();
    let reconnect = api(&trio.replicas[2], &format!("/{}/reconnect", session.key()));
    let renewed = reconnect.post(&json!({ "token": token })).await.whole().await;
    assert_eq!(renewed.status, StatusCode::OK, "{}", renewed.text());
    // An operator may have one without the id.
    let trio = Trio::monitored(backend.store().await, with_tokens, admins).await;
    let session = trio.open().await;
    let own = api(&trio.replicas[0], &format!("/{}/token", session.key()));
    assert_eq!(own.get().await.status, StatusCode::OK);
    assert_eq!(api(&trio.replicas[0], "/AAAAAAAAAAAAAAAA/token").get().await.status, StatusCode::NOT_FOUND);
}

async fn other_sites_write_nothing(backend: Backend) {
    let trio = Trio::monitored(backend.store().await, with_tokens, admins).await;
    let session = trio.open().await;
    let own = api(&trio.replicas[0], &format!("/{}", session.key()));
    for (header, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("host", "evil.example"),
    ] {
        let foreign = own.with(header, value);
        assert_eq!(foreign.delete().await.status, StatusCode::FORBIDDEN, "{header}: {value}");
        let reconnect = foreign.at_path(format!("/api/mcp/sessions/{}/reconnect", session.key()));
        assert_eq!(reconnect.post(&json!({ "token": "x" })).await.status, StatusCode::FORBIDDEN, "{header}: {value}");
    }
    // What a form can send without being asked first.
    let form = own.at_path(format!("/api/mcp/sessions/{}/reconnect", session.key()));
    for kind in ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"] {
        let answer = form.with("content-type", kind).post(&json!({ "token": "x" })).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
    assert!(session.works().await);
    let home = own.with("origin", "http://127.0.0.1:8080").with("sec-fetch-site", "same-origin");
    assert_eq!(home.delete().await.status, StatusCode::NO_CONTENT);
    assert_eq!(Client::of(&trio.replicas[0]).at_path("/api/mcp/sessions").get().await.status, StatusCode::OK);
}
