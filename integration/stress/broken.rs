//! Servers that are broken on purpose: each fails by the criterion it breaks, and by no other that it does not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{Run, stress};
use crate::harness::process::Process;

/// What is wrong with a server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    /// Every fourth call is answered with what the call before it said.
    CrossesAnswers,
    /// A session answers three requests and is forgotten then.
    LosesSessions,
    /// It gives the same session to everybody.
    SharesSessions,
    /// It gives sessions to nobody.
    RefusesSessions,
    /// All but its first session cannot be ended.
    KeepsSessions,
}

/// A small MCP server of one tool, with a flaw.
struct Flawed {
    url: String,
    _server: JoinSet<()>,
}

type Shared = Arc<(Flaw, Mutex<Books>)>;

#[derive(Default)]
struct Books {
    opened: usize,
    /// Requests of each session.
    requests: HashMap<String, usize>,
    calls: usize,
    /// What was said last.
    said: String,
}

impl Flawed {
    async fn start(flaw: Flaw) -> Self {
        let books: Shared = Arc::new((flaw, Mutex::default()));
        let app = Router::new().route("/mcp", post(answer).delete(end)).with_state(books);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/mcp", listener.local_addr().expect("a bound socket has an address"));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, app).await.expect("the listener works") });
        Self { url, _server: server }
    }
}

async fn end(State(shared): State<Shared>, headers: HeaderMap) -> StatusCode {
    let books = &mut *shared.1.lock().unwrap();
    if shared.0 == Flaw::KeepsSessions && books.opened > 1 {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    let known = books.requests.remove(&id_in(&headers)).is_some();
    if known { StatusCode::OK } else { StatusCode::NOT_FOUND }
}

async fn answer(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let (flaw, books) = (shared.0, &mut *shared.1.lock().unwrap());
    let message: Value = serde_json::from_slice(&body).expect("clients send JSON");
    if message["method"] == "initialize" {
        if flaw == Flaw::RefusesSessions {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        books.opened += 1;
        let id = if flaw == Flaw::SharesSessions { "the one".to_owned() } else { format!("session-{}", books.opened) };
        books.requests.insert(id.clone(), 0);
        let result = json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
            "serverInfo": {"name": "flawed", "version": "1"}});
        return ([("mcp-session-id", id)], result_of(&message, &result)).into_response();
    }
    let id = id_in(&headers);
    let Some(requests) = books.requests.get_mut(&id) else { return StatusCode::NOT_FOUND.into_response() };
    *requests += 1;
    if flaw == Flaw::LosesSessions && *requests > 4 {
        books.requests.remove(&id);
        return StatusCode::NOT_FOUND.into_response();
    }
    match message["method"].as_str() {
        Some("tools/list") => result_of(&message, &json!({"tools": [{"name": "echo"}]})).into_response(),
        Some("tools/call") => {
            let text = message["params"]["arguments"]["text"].as_str().expect("a text").to_owned();
            let before = std::mem::replace(&mut books.said, text.clone());
            books.calls += 1;
            let is_crossed = flaw == Flaw::CrossesAnswers && books.calls.is_multiple_of(4);
            let text = if is_crossed { before } else { text };
            result_of(&message, &json!({"content": [{"type": "text", "text": text}]})).into_response()
        }
        Some("ping") => result_of(&message, &json!({})).into_response(),
        _ => StatusCode::ACCEPTED.into_response(),
    }
}

fn id_in(headers: &HeaderMap) -> String {
    headers.get("mcp-session-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned()
}

fn result_of(message: &Value, result: &Value) -> ([(&'static str, &'static str); 1], String) {
    let answer = json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
    ([("content-type", "application/json")], answer.to_string())
}

async fn against(flaw: Flaw) -> Run {
    let server = Flawed::start(flaw).await;
    stress(std::slice::from_ref(&server.url), &["--scenario", "lifecycle", "concurrent"]).await
}

#[tokio::test]
async fn without_a_flaw_it_fails_nothing() {
    let run = against(Flaw::None).await;
    assert_eq!(run.criteria("failed"), [""; 0], "{run}");
    assert_eq!(run.status, 0, "{run}");
}

#[tokio::test]
async fn crossed_answers_are_found() {
    let run = against(Flaw::CrossesAnswers).await;
    assert_eq!(run.status, 1, "{run}");
    let expected =
        ["lifecycle: every call is answered", "concurrent: every call is answered", "concurrent: no answer is crossed"];
    assert_eq!(run.criteria("failed"), expected, "{run}");
    assert!(run.stdout.contains("crossed answer (concurrent)"), "{run}");
}

#[tokio::test]
async fn lost_sessions_are_found() {
    let run = against(Flaw::LosesSessions).await;
    assert_eq!(run.status, 1, "{run}");
    let expected = [
        "lifecycle: every call is answered",
        "lifecycle: every client disconnects",
        "concurrent: every call is answered",
        "concurrent: no session is lost",
    ];
    assert_eq!(run.criteria("failed"), expected, "{run}");
    assert!(run.stdout.contains("404 session lost (concurrent)"), "{run}");
}

#[tokio::test]
async fn a_session_given_to_several_is_found() {
    let run = against(Flaw::SharesSessions).await;
    assert_eq!(run.status, 1, "{run}");
    let failed = run.criteria("failed");
    let named = "concurrent: every client has a session of its own";
    assert!(failed.iter().any(|failed| failed == named), "{run}");
}

#[tokio::test]
async fn replicas_that_share_no_sessions_are_found() {
    let servers = [Process::server(&[]).await, Process::server(&[]).await];
    let run = stress(&servers.each_ref().map(Process::mcp), &["--scenario", "round-robin"]).await;
    assert_eq!(run.status, 1, "{run}");
    assert!(run.criteria("failed").contains(&"round-robin: every call is answered, on whichever replica".to_owned()));
    assert!(run.stdout.contains("replicas need a common store"), "{run}");
}

#[tokio::test]
async fn who_is_limited_is_told_what_to_do() {
    let server = Process::server(&[]).await;
    let run = stress(&[server.mcp()], &["--scenario", "reconnect", "--clients", "8", "--duration", "1s"]).await;
    assert_eq!(run.status, 1, "{run}");
    assert!(run.stdout.contains("429 rate limited (reconnect)"), "{run}");
    assert!(run.stdout.contains("--rate-limits off"), "{run}");
}

#[tokio::test]
async fn a_server_with_another_idle_timeout_is_told_apart_from_one_that_forgets() {
    let server = Process::server(&["--rate-limits", "off"]).await;
    let run = stress(&[server.mcp()], &["--scenario", "stale", "--clients", "2", "--idle-timeout", "1s"]).await;
    assert_eq!(run.status, 1, "{run}");
    assert!(run.said().contains("was the server started with --idle-timeout 1s?"), "{run}");
}

#[tokio::test]
async fn pings_prove_nothing_while_a_session_without_them_stays_active_too() {
    let server = Process::server(&["--rate-limits", "off"]).await;
    let run = stress(&[server.mcp()], &["--scenario", "heartbeat", "--clients", "2", "--idle-timeout", "1s"]).await;
    assert_eq!(run.status, 1, "{run}");
    assert_eq!(run.criteria("failed"), ["heartbeat: a session without pings is marked disconnected"], "{run}");
    assert!(run.said().contains("was the server started with --idle-timeout 1s?"), "{run}");
}

#[tokio::test]
async fn a_viewer_that_sees_all_there_is_does_not_make_up_for_sessions_that_were_refused() {
    let (server, flawed) =
        (Process::server(&["--rate-limits", "off"]).await, Flawed::start(Flaw::RefusesSessions).await);
    let run = stress(&[server.mcp(), flawed.url.clone()], &["--scenario", "feed", "--duration", "3s"]).await;
    assert_eq!(run.status, 1, "{run}");
    assert_eq!(run.criteria("failed"), ["feed: every session opens and closes"], "{run}");
    assert!(run.stdout.contains("503 unavailable (feed)"), "{run}");
}

#[tokio::test]
async fn a_failure_that_no_criterion_asks_about_fails_all_the_same() {
    let server = Flawed::start(Flaw::KeepsSessions).await;
    let run = stress(std::slice::from_ref(&server.url), &["--scenario", "concurrent"]).await;
    assert_eq!(run.status, 1, "{run}");
    assert_eq!(run.criteria("failed"), ["concurrent: nothing fails on the way"], "{run}");
    assert!(run.stderr.contains("5 sessions could not be closed"), "{run}");
}
