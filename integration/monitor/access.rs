//! Who is let in, and what the others are told.

use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};
use tower_mcp_sessions::SessionLayerBuilder;
use tower_mcp_sessions::monitor::{Access, MonitorBuilder, OneTimeCode, Role};

use super::socket::Knock;
use super::{api, open_trio, trio};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::eventually;
use crate::harness::raw::{Client, Whole};
use crate::harness::trio::Trio;

on_every_backend! {
    without_an_access_nobody_is_let_in,
    this_machine_sees_counts_where_nothing_smells_of_a_proxy,
    what_this_machine_sees_is_no_session,
    a_code_is_exchanged_once_for_a_token,
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

async fn this_machine_sees_counts_where_nothing_smells_of_a_proxy(backend: Backend) {
    let named = |_, builder: SessionLayerBuilder| builder.allow_host("mcp.example.com");
    let local = |m: MonitorBuilder| m.access(Access::local_view());
    let trio = Trio::monitored(backend.store().await, named, local).await;
    let client = Client::of(&trio.replicas[0]).at_path("/api/mcp/sessions/health");
    assert_eq!(status(&client).await, StatusCode::OK);
    assert_eq!(status(&client.with("host", "localhost")).await, StatusCode::OK);
    for (header, value) in [
        ("host", "mcp.example.com"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "localhost"),
        ("x-real-ip", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1"),
        ("via", "1.1 proxy"),
        ("cf-ray", "0"),
        ("cf-connecting-ip", "127.0.0.1"),
    ] {
        let answer = client.with(header, value).get().await.whole().await;
        assert_refused(&answer, "loopback");
        let knock = Knock::at(&trio.replicas[0]).with(header, value);
        let refused = knock.open().await.err().expect("no upgrade");
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{header}");
    }
    let old = client.head("GET").replace("HTTP/1.1", "HTTP/1.0");
    assert!(client.bytes(format!("{old}\r\n").as_bytes()).await.contains(" 403 "), "as nginx asks without being told");
    let unknown = |_, builder: SessionLayerBuilder| builder.peer(|_| None);
    let trio = Trio::monitored(backend.store().await, unknown, local).await;
    assert_refused(&api(&trio.replicas[0], "/health").get().await.whole().await, ".peer(");
}

/// Counts, ages and types of clients; no session, whoever asks for it however, and no deed.
async fn what_this_machine_sees_is_no_session(backend: Backend) {
    let trio = trio(backend, |m| m.access(Access::local_view()).allow_terminate(true)).await;
    let here = &trio.replicas[1];
    let mut socket = Knock::at(here).open().await.unwrap();
    socket.greet(json!({ "t": "hello" })).await;
    let mut told = vec![socket.update().await];
    let mut events = Client::of(here).at_path("/sse/sessions").get().await.events();
    told.push(events.next().await.expect("a snapshot"));
    let poll = async |query: &str| api(here, &format!("/events?{query}")).get().await.whole().await.json();
    told.push(poll("").await);
    for update in &told {
        assert_eq!(
            (&update["mode"], &update["from"], &update["more"]),
            (&json!("snapshot"), &json!(null), &json!(null))
        );
    }
    let cursor = told[2]["to"].as_str().expect("a cursor").to_owned();

    let session = trio.client().with("x-user", "alice").open("2025-11-25").await;
    let created = |update: &Value| {
        update["events"].as_array().is_some_and(|all| all.iter().any(|event| event["type"] == "session_created"))
    };
    for is_socket in [true, false] {
        loop {
            told.push(if is_socket { socket.update().await } else { events.next().await.expect("an update") });
            if created(told.last().expect("an update")) {
                break;
            }
        }
    }
    eventually("a poll tells of it", async || created(&poll(&format!("cursor={cursor}")).await)).await;
    // What somebody may not see is nothing to be sought by.
    for sought in ["client=raw", "q=raw", &format!("q={}", session.key())] {
        let found = poll(&format!("cursor={cursor}&{sought}")).await;
        assert_eq!(found["events"], json!([]), "{sought}");
        told.push(found);
    }
    socket.say(&json!({ "t": "filter", "filter": { "types": ["session_created"] } })).await;
    told.push(socket.update().await);
    let health = api(here, "/health").get().await.whole().await.json();
    assert_eq!(
        health["access"],
        json!({ "role": "counts", "may_terminate": false, "reconnect": false, "bearer": false })
    );
    assert_eq!((&health["status_breakdown"]["active"], &health["age_distribution"]["healthy"]), (&json!(1), &json!(1)));
    assert_eq!(
        (&health["clients"][0]["client_type"], &health["clients"][0]["client_version"]),
        (&json!("raw"), &json!(""))
    );
    told.push(health);
    for update in &told {
        let text = update.to_string();
        for secret in [session.key(), "alice", "1.2.3", "127.0.0.1"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
    let own = format!("/{}", session.key());
    for path in ["", &own] {
        assert_refused(&api(here, path).get().await.whole().await, "counts");
    }
    assert_refused(&api(here, &own).delete().await.whole().await, "admin");
    assert!(session.works().await);
}

async fn a_code_is_exchanged_once_for_a_token(backend: Backend) {
    let (code, other) = (OneTimeCode::generate().unwrap(), OneTimeCode::generate().unwrap());
    let access = Access::local_view().or(Access::code(&code, Role::Admin)).or(Access::code(&other, Role::View));
    let trio = trio(backend, |m| m.access(access.clone()).allow_terminate(true)).await;
    let session = trio.open().await;
    let client = Client::of(&trio.replicas[0]).at_path("/api/access");
    let text = |code: &OneTimeCode| code.link("").strip_prefix("#code=").expect("a fragment").to_owned();
    for wrong in [json!({ "code": "" }), json!({ "code": "x" }), json!({ "code": &text(&code)[..42] })] {
        assert_eq!(client.post(&wrong).await.status, StatusCode::UNAUTHORIZED, "{wrong}");
    }
    for (body, status) in [("[]", 400), ("{}", 400), ("", 400), ("{\"code\": 7}", 400)] {
        assert_eq!(client.send(http::Method::POST, body).await.status.as_u16(), status, "{body}");
    }
    let asked = json!({ "code": text(&code) });
    assert_eq!(client.with("content-type", "text/plain").post(&asked).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(client.with("sec-fetch-site", "cross-site").post(&asked).await.status, StatusCode::FORBIDDEN);
    assert_eq!(client.get().await.status, StatusCode::METHOD_NOT_ALLOWED);
    let given = client.post(&asked).await.whole().await;
    assert_eq!((given.status, given.json()["role"].clone()), (StatusCode::OK, json!("admin")));
    assert_eq!(given.headers["cache-control"], "no-store");
    assert_eq!(client.post(&asked).await.status, StatusCode::UNAUTHORIZED, "once");
    let viewer = client.post(&json!({ "code": text(&other) })).await.whole().await;
    for (given, may_act) in [(viewer, 403), (given, 204)] {
        let token = given.json()["token"].as_str().expect("a token").to_owned();
        let own =
            api(&trio.replicas[0], &format!("/{}", session.key())).with("authorization", &format!("Bearer {token}"));
        assert_eq!(own.get().await.status, StatusCode::OK);
        assert_eq!(own.delete().await.status.as_u16(), may_act);
    }
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

fn role_of(user: &HeaderValue) -> Option<Role> {
    match user.as_bytes() {
        b"viewer" => Some(Role::View),
        b"operator" => Some(Role::Admin),
        b"panic" => panic!("the application fails"),
        _ => None,
    }
}

/// Asked at once or with a wait, and the two as people write them first.
async fn the_application_decides_by_role(backend: Backend) {
    let waiting = Access::from_async_fn(|parts| async move {
        tokio::task::yield_now().await;
        role_of(parts.headers.get("x-user")?)
    });
    let at_once = Access::from_fn(|parts| role_of(parts.headers.get("x-user")?));
    for access in [at_once, waiting] {
        let trio = trio(backend, |m| m.access(access.clone()).allow_terminate(true)).await;
        let session = trio.open().await;
        let own = Client::of(&trio.replicas[0]).at_path(format!("/api/mcp/sessions/{}", session.key()));
        let users = [("stranger", 403, 403), ("panic", 403, 403), ("viewer", 200, 403), ("operator", 200, 204)];
        for (user, may_look, may_act) in users {
            let client = own.with("x-user", user);
            assert_eq!(client.get().await.status.as_u16(), may_look, "{user}");
            assert_eq!(client.delete().await.status.as_u16(), may_act, "{user}");
        }
    }
}

async fn several_ways_in_give_the_greater_role(backend: Backend) {
    let access = Access::local_view().or(Access::bearer("of the tests", Role::Admin));
    let trio = trio(backend, |m| m.access(access.clone()).allow_terminate(true)).await;
    let session = trio.open().await;
    let client = api(&trio.replicas[0], &format!("/{}", session.key()));
    assert_refused(&client.get().await.whole().await, "counts");
    assert_refused(&client.delete().await.whole().await, "admin");
    let operator = client.with("authorization", "Bearer of the tests").with("x-forwarded-for", "10.0.0.1");
    assert_eq!(operator.delete().await.status, StatusCode::NO_CONTENT);
    let open = open_trio(backend).await;
    let session = open.open().await;
    let client = api(&open.replicas[0], &format!("/{}", session.key()));
    assert_refused(&client.delete().await.whole().await, "admin");
}
