//! Who is let in, and what the others are told.

use http::StatusCode;
use tower_mcp_sessions::SessionLayerBuilder;
use tower_mcp_sessions::monitor::{Access, MonitorBuilder, Role};

use super::socket::Knock;
use super::{api, open_trio, trio};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::raw::{Client, Whole};
use crate::harness::trio::Trio;

on_every_backend! {
    without_an_access_nobody_is_let_in,
    this_machine_is_let_in_where_that_is_certain,
    whoever_knows_the_token_is_let_in,
    the_application_decides_by_role,
    several_ways_in_give_the_greater_role,
}

/// Everything that viewers see.
const VIEWED: [&str; 4] = ["", "/health", "/events", "/AAAAAAAAAAAAAAAA"];

async fn status(client: &Client) -> StatusCode {
    client.at_path("/api/mcp/sessions/health").get().await.status
}

/// A 403 that tells what to do.
fn assert_refused(answer: &Whole, fix: &str) {
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text());
    let told = answer.json();
    assert_eq!(told["success"], false);
    assert!(told["error"].as_str().is_some_and(|text| text.contains(fix)), "{told} does not name {fix}");
}

async fn without_an_access_nobody_is_let_in(backend: Backend) {
    let trio = trio(backend, |m| m).await;
    let session = trio.open().await;
    for path in VIEWED {
        let answer = api(&trio.replicas[0], path).get().await.whole().await;
        assert_refused(&answer, "sessions.monitor().access(");
        assert!(!answer.text().contains(session.key()));
    }
    let sse = Client::of(&trio.replicas[0]).at_path("/sse/sessions").get().await.whole().await;
    assert_refused(&sse, "access(");
    let refused = Knock::at(&trio.replicas[0]).open().await.err().expect("no upgrade");
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let end = api(&trio.replicas[0], &format!("/{}", session.key())).delete().await.whole().await;
    assert_refused(&end, "access(");
    assert!(session.works().await);
}

async fn this_machine_is_let_in_where_that_is_certain(backend: Backend) {
    let named = |_, builder: SessionLayerBuilder| builder.allow_host("mcp.example.com");
    let local = |m: MonitorBuilder| m.access(Access::loopback_only());
    let trio = Trio::monitored(backend.store().await, named, local).await;
    let client = Client::of(&trio.replicas[0]);
    assert_eq!(status(&client).await, StatusCode::OK);
    assert_eq!(status(&client.with("host", "localhost")).await, StatusCode::OK);
    for (header, value) in [
        ("host", "mcp.example.com"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-real-ip", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1"),
        ("via", "1.1 proxy"),
    ] {
        let answer = client.with(header, value).at_path("/api/mcp/sessions").get().await.whole().await;
        assert_refused(&answer, "loopback");
        let knock = Knock::at(&trio.replicas[0]).with(header, value);
        let refused = knock.open().await.err().expect("no upgrade");
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{header}");
    }
    let unknown = |_, builder: SessionLayerBuilder| builder.peer(|_| None);
    let trio = Trio::monitored(backend.store().await, unknown, local).await;
    assert_refused(&api(&trio.replicas[0], "/health").get().await.whole().await, ".peer(");
}

async fn whoever_knows_the_token_is_let_in(backend: Backend) {
    let trio = trio(backend, |m| m.access(Access::bearer("of the tests", Role::View))).await;
    let client = Client::of(&trio.replicas[0]);
    let with = |value: &str| client.with("authorization", value);
    assert_refused(&client.at_path("/api/mcp/sessions").get().await.whole().await, "Authorization: Bearer");
    for wrong in
        ["Bearer", "Bearer ", "Bearer of the test", "Bearer of the testsx", "of the tests", "Basic of the tests"]
    {
        assert_eq!(status(&with(wrong)).await, StatusCode::FORBIDDEN, "{wrong}");
    }
    for right in ["Bearer of the tests", "bearer of the tests", "BEARER  of the tests "] {
        assert_eq!(status(&with(right)).await, StatusCode::OK, "{right}");
    }
    let url = client.at_path("/api/mcp/sessions/health?token=of+the+tests&access_token=of+the+tests");
    assert_eq!(url.get().await.status, StatusCode::FORBIDDEN, "no token in a URL");
    let unset = self::trio(backend, |m| m.access(Access::bearer("", Role::Admin))).await;
    let client = Client::of(&unset.replicas[0]);
    for nothing in ["Bearer ", "Bearer"] {
        assert_eq!(status(&client.with("authorization", nothing)).await, StatusCode::FORBIDDEN);
    }
}

async fn the_application_decides_by_role(backend: Backend) {
    let access = Access::from_fn(|parts| {
        let role = match parts.headers.get("x-user").map(|user| user.as_bytes().to_vec()) {
            Some(user) if user == b"viewer" => Some(Role::View),
            Some(user) if user == b"operator" => Some(Role::Admin),
            Some(_) | None => None,
        };
        async move {
            tokio::task::yield_now().await;
            role
        }
    });
    let trio = trio(backend, |m| m.access(access.clone()).allow_terminate(true)).await;
    let session = trio.open().await;
    let own = Client::of(&trio.replicas[0]).at_path(format!("/api/mcp/sessions/{}", session.key()));
    for (user, may_look, may_act) in [("stranger", 403, 403), ("viewer", 200, 403), ("operator", 200, 204)] {
        let client = own.with("x-user", user);
        assert_eq!(client.get().await.status.as_u16(), may_look, "{user}");
        assert_eq!(client.delete().await.status.as_u16(), may_act, "{user}");
    }
}

async fn several_ways_in_give_the_greater_role(backend: Backend) {
    let access = Access::loopback_only().or(Access::bearer("of the tests", Role::Admin));
    let trio = trio(backend, |m| m.access(access.clone()).allow_terminate(true)).await;
    let session = trio.open().await;
    let client = api(&trio.replicas[0], &format!("/{}", session.key()));
    assert_eq!(client.get().await.status, StatusCode::OK);
    let refused = client.delete().await.whole().await;
    assert_refused(&refused, "admin");
    let operator = client.with("authorization", "Bearer of the tests").with("x-forwarded-for", "10.0.0.1");
    assert_eq!(operator.delete().await.status, StatusCode::NO_CONTENT);
    let open = open_trio(backend).await;
    let session = open.open().await;
    let client = api(&open.replicas[0], &format!("/{}", session.key()));
    assert_refused(&client.delete().await.whole().await, "admin");
}
