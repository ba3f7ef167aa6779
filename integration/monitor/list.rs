//! `GET /api/mcp/sessions` and `GET /api/mcp/sessions/{key}`.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::sleep;
use tower_mcp_sessions::SessionLayerBuilder;
use tower_mcp_sessions::monitor::Role;

use super::{REVISION, api, open_trio};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::eventually::{eventually, within};
use crate::harness::login::everybody_as;
use crate::harness::raw::{Client, initialize};
use crate::harness::trio::Trio;

on_every_backend! {
    the_list_is_filtered_as_asked,
    pages_are_whole_while_sessions_come_and_go,
    a_query_that_makes_no_sense_is_told_why,
    a_session_is_shown_with_what_happened_to_it,
    what_is_not_there_is_404,
    a_method_that_is_not_served_is_405,
}

/// By then the store was told of activity.
const FLUSHED: Duration = Duration::from_millis(600);

async fn keys(client: &Client, query: &str) -> Vec<String> {
    let answer = client.at_path(format!("/api/mcp/sessions{query}")).get().await.whole().await;
    assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.text());
    let page = answer.json();
    assert!(page["timestamp"].is_string());
    let key = |session: &Value| session["session_id"].as_str().unwrap().to_owned();
    page["sessions"].as_array().unwrap().iter().map(key).collect()
}

async fn open_as(client: &Client, name: &str) -> String {
    let mut message = initialize(REVISION);
    message["params"]["clientInfo"]["name"] = json!(name);
    let id = client.post(&message).await.whole().await.session_id().expect("an id");
    id[..16].to_owned()
}

async fn the_list_is_filtered_as_asked(backend: Backend) {
    let idle = |_, builder: SessionLayerBuilder| builder.idle_timeout(Duration::from_secs(1));
    let trio = Trio::monitored(backend.store().await, idle, |m| m.access(everybody_as(Role::View))).await;
    let client = trio.client();
    let old = open_as(&client, "cursor").await;
    eventually("it is idle", async || trio.store.counts().await == (0, 1)).await;
    let new = open_as(&client.at(&trio.replicas[1]), "Claude Desktop & co").await;
    let all = BTreeSet::from([old.clone(), new.clone()]);
    let cases = [
        ("", all.clone()),
        ("?status=active", BTreeSet::from([new.clone()])),
        ("?status=disconnected", BTreeSet::from([old.clone()])),
        ("?status=", all.clone()),
        ("?age=healthy", all.clone()),
        ("?age=stale", BTreeSet::new()),
        ("?client=cursor", BTreeSet::from([old.clone()])),
        ("?client=Claude+Desktop+%26+co", BTreeSet::from([new.clone()])),
        ("?client=curso", BTreeSet::new()),
        ("?q=CURS", BTreeSet::from([old.clone()])),
        ("?q=1.2.3", all.clone()),
        ("?q=desktop%20%26", BTreeSet::from([new.clone()])),
        ("?q=nobody", BTreeSet::new()),
        ("?status=active&client=cursor", BTreeSet::new()),
        ("?later=1", all.clone()),
    ];
    // A session just opened stays active for a second: a machine that is slow asks again.
    for (query, expected) in cases {
        let found = keys(&client, query).await;
        if query.contains("active") && trio.store.counts().await.0 == 0 {
            continue;
        }
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected, "{query}");
    }
    assert_eq!(keys(&client, &format!("?q={}", &old[..8])).await, [old]);
    assert_eq!(keys(&client, "").await.first(), Some(&new), "the last seen first");
}

async fn pages_are_whole_while_sessions_come_and_go(backend: Backend) {
    let trio = Arc::new(open_trio(backend).await);
    let mut resting = BTreeSet::new();
    for _ in 0..60 {
        resting.insert(trio.open().await.key().to_owned());
    }
    // Its last activity, which the store is told a little later, would move a session.
    let last_seen = async || {
        let page = api(&trio.replicas[0], "?limit=100").get().await.whole().await.json();
        page["sessions"].as_array().unwrap().iter().map(|session| session["last_seen_at"].clone()).collect::<Vec<_>>()
    };
    let mut known = Vec::new();
    within(FLUSHED * 20, "the store knows of all activity", async || {
        let before = std::mem::replace(&mut known, last_seen().await);
        sleep(FLUSHED).await;
        before == known
    })
    .await;
    let busy = tokio::spawn({
        let trio = Arc::clone(&trio);
        async move {
            loop {
                let session = trio.open().await;
                session.status().await;
                session.delete().await;
            }
        }
    });
    for limit in [1, 7, 25, 500] {
        let client = Client::of(&trio.replicas[limit % 3]);
        let (mut found, mut cursor) = (HashMap::<String, usize>::new(), String::new());
        loop {
            let path = format!("/api/mcp/sessions?limit={limit}&cursor={cursor}");
            let page = client.at_path(path).get().await.whole().await.json();
            let sessions = page["sessions"].as_array().unwrap();
            assert!(sessions.len() <= limit);
            for session in sessions {
                assert!(session["idle_ms"].is_u64() && session["uptime_ms"].is_u64(), "{session}");
                *found.entry(session["session_id"].as_str().unwrap().to_owned()).or_default() += 1;
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        let missing: Vec<_> = resting.iter().filter(|key| found.get(*key) != Some(&1)).collect();
        assert!(missing.is_empty(), "limit {limit}: {missing:?} not found once");
    }
    busy.abort();
}

async fn a_query_that_makes_no_sense_is_told_why(backend: Backend) {
    let trio = open_trio(backend).await;
    let client = api(&trio.replicas[0], "");
    for (query, about) in [
        ("?status=sleeping", "status"),
        ("?age=old", "age"),
        ("?limit=many", "limit"),
        ("?limit=-1", "limit"),
        ("?cursor=rubbish", "cursor"),
        ("?cursor=1:short", "cursor"),
        ("/events?status=sleeping", "status"),
    ] {
        let answer = client.at_path(format!("/api/mcp/sessions{query}")).get().await.whole().await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        let told = answer.json();
        assert!(told["error"].as_str().unwrap().contains(about), "{query}: {told}");
        assert!(!answer.text().contains("sleeping"), "what was sent is not sent back");
    }
    for query in ["?limit=0", "?limit=100000"] {
        keys(&client, query).await;
    }
}

async fn a_session_is_shown_with_what_happened_to_it(backend: Backend) {
    let idle = |_, builder: SessionLayerBuilder| builder.idle_timeout(Duration::from_secs(1));
    let trio = Trio::monitored(backend.store().await, idle, |m| m.access(everybody_as(Role::View))).await;
    let (session, _other) = (trio.open().await, trio.open().await);
    eventually("both are idle", async || trio.store.counts().await == (0, 2)).await;
    assert!(session.at(&trio.replicas[1]).works().await);
    let answer = api(&trio.replicas[2], &format!("/{}", session.key())).get().await.whole().await;
    let detail = answer.json();
    let shown = &detail["session"];
    assert_eq!(
        (&shown["session_id"], &shown["client_type"], &shown["replica"]),
        (&json!(session.key()), &json!("raw"), &json!("b"))
    );
    let timeline = detail["timeline"].as_array().unwrap();
    let types: Vec<_> = timeline.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["session_created", "session_disconnected", "session_reconnected"]);
    assert!(timeline.iter().all(|event| event["session"]["session_id"] == session.key()));
    let comeback = &timeline[2];
    assert_eq!((&comeback["how"], &comeback["from_replica"]), (&json!("return"), &json!("a")));
    assert!(comeback["gap_ms"].as_u64().unwrap() >= 1000, "{comeback}");
    assert_eq!(timeline[1]["reason"], "idle_timeout");
    assert!(!answer.text().contains(&session.id), "the secret is nowhere");
}

async fn what_is_not_there_is_404(backend: Backend) {
    let trio = open_trio(backend).await;
    let session = trio.open().await;
    session.delete().await;
    let client = Client::of(&trio.replicas[0]);
    for path in [
        "/api/mcp/sessions/AAAAAAAAAAAAAAAA".to_owned(),
        format!("/api/mcp/sessions/{}", session.key()),
        format!("/api/mcp/sessions/{}", session.id),
        "/api/mcp/sessions/short".to_owned(),
        "/api/mcp/sessions/%41AAAAAAAAAAAAAAA".to_owned(),
        "/api/mcp/sessions/AAAAAAAAAAAAAAAA/".to_owned(),
        "/api/mcp/sessionsx".to_owned(),
        "/api/mcp".to_owned(),
    ] {
        let answer = client.at_path(path.clone()).get().await.whole().await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answer.json()["error"].is_string());
    }
}

async fn a_method_that_is_not_served_is_405(backend: Backend) {
    let trio = open_trio(backend).await;
    let client = Client::of(&trio.replicas[0]);
    for (method, path, allowed) in [
        (http::Method::POST, "/api/mcp/sessions", "GET"),
        (http::Method::DELETE, "/api/mcp/sessions", "GET"),
        (http::Method::PUT, "/api/mcp/sessions/health", "GET"),
        (http::Method::PATCH, "/api/mcp/sessions/AAAAAAAAAAAAAAAA", "GET, DELETE"),
        (http::Method::GET, "/api/mcp/sessions/AAAAAAAAAAAAAAAA/reconnect", "POST"),
        (http::Method::POST, "/api/mcp/sessions/AAAAAAAAAAAAAAAA/token", "GET"),
        (http::Method::POST, "/ws/sessions", "GET"),
        (http::Method::POST, "/sse/sessions", "GET"),
    ] {
        let answer = client.at_path(path).send(method.clone(), "").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        assert_eq!(answer.headers["allow"], allowed, "{method} {path}");
    }
}
