//! An upstream on wiremock: an MCP server with sessions, which a test can make misbehave for a tool of its choice.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use http::StatusCode;
use serde_json::{Value, json};
use wiremock::matchers::{any, body_partial_json, header, method};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::harness::raw::SESSION_ID;

/// The upstream, at `http://…/deep/mcp`.
pub(super) struct Upstream {
    server: MockServer,
    sessions: Arc<Sessions>,
}

impl Upstream {
    pub(super) async fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").expect("a free port")).await
    }

    /// A new one, which knows no session yet, on this listener.
    pub(super) async fn on(listener: TcpListener) -> Self {
        let server = MockServer::builder().listener(listener).start().await;
        let sessions = Arc::<Sessions>::default();
        let behaves = Arc::clone(&sessions);
        Mock::given(any()).respond_with(move |request: &Request| behaves.answer(request)).mount(&server).await;
        Self { server, sessions }
    }

    pub(super) fn mcp(&self) -> String {
        format!("{}/deep/mcp", self.server.uri())
    }

    pub(super) fn address(&self) -> std::net::SocketAddr {
        *self.server.address()
    }

    /// From now on a request with these parts is answered so.
    pub(super) async fn on_message(&self, parts: Value, answer: impl Respond + 'static) {
        Mock::given(body_partial_json(parts)).respond_with(answer).with_priority(1).mount(&self.server).await;
    }

    /// The next request with these parts is answered so.
    pub(super) async fn on_next_message(&self, parts: Value, answer: impl Respond + 'static) {
        let once = Mock::given(body_partial_json(parts)).respond_with(answer).up_to_n_times(1);
        once.with_priority(1).mount(&self.server).await;
    }

    /// From now on a call of `tool` is answered so.
    pub(super) async fn on_call(&self, tool: &str, answer: impl Respond + 'static) {
        self.on_message(json!({"params": {"name": tool}}), answer).await;
    }

    /// From now on whatever is asked in this session is answered so.
    pub(super) async fn on_session(&self, session: &str, answer: impl Respond + 'static) {
        let misbehaves = Mock::given(header(SESSION_ID, session));
        misbehaves.respond_with(answer).with_priority(2).mount(&self.server).await;
    }

    /// From now on a GET is answered so.
    pub(super) async fn on_get(&self, answer: impl Respond + 'static) {
        Mock::given(method("GET")).respond_with(answer).with_priority(3).mount(&self.server).await;
    }

    /// The next GET is answered so.
    pub(super) async fn on_next_get(&self, answer: impl Respond + 'static) {
        let once = Mock::given(method("GET")).respond_with(answer).up_to_n_times(1);
        once.with_priority(1).mount(&self.server).await;
    }

    /// How often it was asked for a stream.
    pub(super) async fn asked_for_a_stream(&self) -> usize {
        self.requests().await.iter().filter(|request| request.method == "GET").count()
    }

    /// Forgets every session, as a restart would.
    pub(super) fn forget(&self) {
        self.sessions.known.lock().unwrap().clear();
    }

    /// The messages it was sent with this JSON-RPC method, in order.
    pub(super) async fn asked(&self, method: &str) -> Vec<Request> {
        let mut requests = self.requests().await;
        requests.retain(|request| message_of(request)["method"] == method);
        requests
    }

    /// How often a tool was called.
    pub(super) async fn asked_for(&self, tool: &str) -> usize {
        let calls = self.asked("tools/call").await;
        calls.iter().filter(|call| message_of(call)["params"]["name"] == tool).count()
    }

    /// The sessions whose end it was told of.
    pub(super) async fn deleted(&self) -> Vec<String> {
        let requests = self.requests().await;
        requests.iter().filter(|request| request.method == "DELETE").filter_map(session_of).collect()
    }

    async fn requests(&self) -> Vec<Request> {
        self.server.received_requests().await.expect("requests are recorded")
    }
}

/// The sessions it knows, by number.
#[derive(Default)]
struct Sessions {
    known: Mutex<Vec<String>>,
    minted: Mutex<usize>,
}

impl Sessions {
    /// As a well-behaved server does. A call of any tool says which tool and which session.
    fn answer(&self, request: &Request) -> ResponseTemplate {
        let message = message_of(request);
        match (request.method.as_str(), message["method"].as_str()) {
            ("DELETE", _) => ResponseTemplate::new(StatusCode::ACCEPTED),
            ("GET", _) => ResponseTemplate::new(StatusCode::METHOD_NOT_ALLOWED),
            (_, Some("initialize")) => {
                let server = json!({"name": "wiremock", "version": "1"});
                let result = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": server});
                answer(&message, &result).insert_header(SESSION_ID, self.mint())
            }
            _ => match session_of(request).filter(|session| self.known.lock().unwrap().contains(session)) {
                None => ResponseTemplate::new(StatusCode::NOT_FOUND).set_body_string("Session not found"),
                Some(_) if message["id"].is_null() => ResponseTemplate::new(StatusCode::ACCEPTED),
                Some(session) => {
                    let text = format!("{} in {session}", message["params"]["name"].as_str().unwrap_or_default());
                    answer(&message, &json!({"content": [{"type": "text", "text": text}]}))
                }
            },
        }
    }

    fn mint(&self) -> String {
        let mut minted = self.minted.lock().unwrap();
        *minted += 1;
        let session = format!("upstream-{minted}");
        self.known.lock().unwrap().push(session.clone());
        session
    }
}

/// A JSON-RPC response to `message`.
fn answer(message: &Value, result: &Value) -> ResponseTemplate {
    ResponseTemplate::new(StatusCode::OK)
        .set_body_json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result}))
}

pub(super) fn session_of(request: &Request) -> Option<String> {
    Some(request.headers.get(SESSION_ID)?.to_str().expect("a visible id").to_owned())
}

fn message_of(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap_or_default()
}
