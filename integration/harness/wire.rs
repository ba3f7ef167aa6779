//! A client of 2025-11-25 that hides nothing: statuses, streams as they come, and one session on several replicas.

use std::time::Duration;

use axum::http::StatusCode;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

const SESSION_ID: &str = "mcp-session-id";

/// No requirement: only what keeps a test from hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// An open session, seen from one of the URLs that serve it.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    http: Client,
    url: String,
    session: String,
}

impl Wire {
    /// A client of the MCP endpoint `url` without a session.
    pub(crate) fn stranger(url: &str) -> Self {
        let http =
            Client::builder().no_proxy().redirect(Policy::none()).timeout(PATIENCE).build().expect("an HTTP client");
        Self { http, url: url.to_owned(), session: String::new() }
    }

    /// Opens a session at the MCP endpoint `url`.
    ///
    /// # Panics
    ///
    /// If the server does not give one.
    pub(crate) async fn open(url: &str) -> Self {
        let mut wire = Self::stranger(url);
        let opened = wire.initialize().await;
        assert_eq!(opened.status(), StatusCode::OK, "initialize");
        wire.session = opened.headers()[SESSION_ID].to_str().expect("a visible id").to_owned();
        answer_in(&opened.text().await.expect("the answer to initialize"));
        let noted = wire.post(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        assert_eq!(noted.status(), StatusCode::ACCEPTED, "notifications/initialized");
        wire
    }

    /// The same session at another URL.
    pub(crate) fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// Asks for a session, and returns the answer as it begins.
    pub(crate) async fn initialize(&self) -> Response {
        self.post(&initialize()).await
    }

    /// Sends one message.
    pub(crate) async fn post(&self, message: &Value) -> Response {
        let request = self.http.post(&self.url).header("accept", "application/json, text/event-stream");
        self.send(request.json(message)).await
    }

    /// Calls a tool and returns the response as it begins. Progress is asked for when there is a token.
    pub(crate) async fn call_begun(&self, tool: &str, arguments: Value, progress_token: Option<&str>) -> Response {
        let meta = progress_token.map_or_else(|| json!({}), |token| json!({"progressToken": token}));
        let parameters = json!({"name": tool, "arguments": arguments, "_meta": meta});
        self.post(&json!({"jsonrpc": "2.0", "id": tool, "method": "tools/call", "params": parameters})).await
    }

    /// Calls a tool and returns its result.
    ///
    /// # Panics
    ///
    /// If there is none, or it is a tool's error.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Value {
        let response = self.call_begun(tool, arguments, None).await;
        assert_eq!(response.status(), StatusCode::OK, "{tool}");
        let result = answer_in(&response.text().await.expect("the call's answer"))["result"].take();
        assert_ne!(result["isError"], true, "{tool}: {result}");
        result
    }

    /// The text of a tool's result.
    pub(crate) async fn say(&self, tool: &str, arguments: Value) -> String {
        let result = self.call(tool, arguments).await;
        result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {result}")).to_owned()
    }

    /// Opens the session's listening stream.
    pub(crate) async fn listen(&self) -> Response {
        self.send(self.http.get(&self.url).header("accept", "text/event-stream")).await
    }

    /// How the server answers a harmless request of this session.
    pub(crate) async fn status(&self) -> StatusCode {
        self.post(&json!({"jsonrpc": "2.0", "id": "status", "method": "tools/list"})).await.status()
    }

    /// Ends the session.
    pub(crate) async fn delete(&self) -> StatusCode {
        self.send(self.http.delete(&self.url)).await.status()
    }

    async fn send(&self, mut request: RequestBuilder) -> Response {
        if !self.session.is_empty() {
            request = request.header(SESSION_ID, &self.session).header("mcp-protocol-version", "2025-11-25");
        }
        request.send().await.unwrap_or_else(|error| panic!("{}: {error:?}", self.url))
    }
}

fn initialize() -> Value {
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "wire", "version": "1"},
    }})
}

/// Reads a stream until it holds `wanted`, and returns all that came.
///
/// # Panics
///
/// If the stream ends before.
pub(crate) async fn read_until(stream: &mut Response, wanted: &str) -> String {
    let mut read = String::new();
    while !read.contains(wanted) {
        let chunk = stream.chunk().await.unwrap_or_else(|error| panic!("{error:?} after {read:?}"));
        let chunk = chunk.unwrap_or_else(|| panic!("the stream ended before {wanted:?}: {read:?}"));
        read.push_str(&String::from_utf8_lossy(&chunk));
    }
    read
}

/// The messages in a body, which is one JSON object or an event stream.
pub(crate) fn messages_in(body: &str) -> Vec<Value> {
    let parse = |json: &str| serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {body:?}"));
    if body.starts_with('{') {
        return vec![parse(body)];
    }
    let data = body.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
    data.filter(|data| !data.is_empty()).map(parse).collect()
}

/// The answer to a request: the last message in the body.
///
/// # Panics
///
/// If the last one is no answer.
pub(crate) fn answer_in(body: &str) -> Value {
    let answer = messages_in(body).pop().unwrap_or_else(|| panic!("no message in {body:?}"));
    assert!(answer.get("result").is_some(), "no result: {answer}");
    answer
}
