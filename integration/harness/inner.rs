//! An inner MCP service that does what a test tells it, and remembers everything it was asked.
//!
//! What it does with a request is in the request's method (`echo`, `wait`, `stream`, `panic`, …); how it treats sessions
//! and handshakes is in its [`Script`], which a test may change at any time.

mod answers;
mod conversation;
mod framing;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tower::Service;
use tower_mcp_sessions::body::RequestBody;
use tower_mcp_sessions::{McpSession, Replayed};

use self::conversation::Conversation;
pub(crate) use self::conversation::{question, step};
use super::headers::SESSION_ID;

/// How an `initialize` is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnInitialize {
    Json,
    /// As an event stream of one message.
    Sse,
    /// As an event stream of one message, its length declared.
    SseWithLength,
    /// As an event stream whose first message is a notification.
    SseAfterNotification,
    /// With this status and a session id nobody asked for.
    Refuse(StatusCode),
    /// With a JSON-RPC error and status 200.
    Error,
    /// With the revision that has no sessions.
    Modern,
    /// Accepted, but the body breaks off.
    BrokenOff,
    /// With this status, media type, content coding and body, in which `VERSION` is the revision asked for.
    Says(u16, &'static str, &'static str, &'static str),
    /// Not before [`Scripted::let_one_go`].
    Wait,
    Panic,
}

/// How a request with an unknown id is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnUnknownId {
    PlainText,
    JsonRpcError,
}

/// What a test can choose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Script {
    pub(crate) initialize: OnInitialize,
    pub(crate) initialized: StatusCode,
    /// What it says to `initialized` is an event stream that never ends.
    pub(crate) initialized_stays: bool,
    /// The service panics when it is told `initialized`.
    pub(crate) initialized_panics: bool,
    pub(crate) unknown_id: OnUnknownId,
    /// GET is answered with a stream, not with 405.
    pub(crate) listens: bool,
    /// It begins by saying that it listens.
    pub(crate) greets: bool,
    /// Every id is unknown, even a new one.
    pub(crate) amnesia: bool,
    /// The one `Authorization` that is let in; any other is 401.
    pub(crate) credentials: Option<&'static str>,
    /// A notification is answered with an event stream that is left open.
    pub(crate) streams_for_notifications: bool,
    /// `initialize` sets a cookie that names the inner session.
    pub(crate) sets_cookies: bool,
    /// Every answer names a session that was minted for it.
    pub(crate) answers_with_another_id: bool,
    /// What it calls itself, instead of `scripted`.
    pub(crate) name: Option<&'static str>,
}

/// A request as the inner service saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) http_method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) session: Option<McpSession>,
    pub(crate) replayed: bool,
}

impl Seen {
    /// The JSON-RPC method; empty where there is none.
    pub(crate) fn method(&self) -> String {
        let message: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        message["method"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// The service. Clones are the same service.
#[derive(Clone)]
pub(crate) struct Scripted {
    shared: Arc<Shared>,
}

struct Shared {
    has_sessions: bool,
    script: Mutex<Script>,
    sessions: Mutex<BTreeSet<String>>,
    minted: AtomicU64,
    seen: Mutex<Vec<Seen>>,
    /// Permits for what waits.
    gate: Semaphore,
    conversation: Conversation,
    running: watch::Sender<u64>,
    finished: AtomicU64,
}

impl Scripted {
    /// A service that mints an id for each session and knows no other ids.
    pub(crate) fn with_sessions() -> Self {
        Self::new(true)
    }

    /// A service that knows nothing of sessions.
    pub(crate) fn without_sessions() -> Self {
        Self::new(false)
    }

    fn new(has_sessions: bool) -> Self {
        let script = Script {
            initialize: OnInitialize::Json,
            initialized: StatusCode::ACCEPTED,
            initialized_stays: false,
            initialized_panics: false,
            unknown_id: OnUnknownId::PlainText,
            listens: true,
            greets: true,
            amnesia: false,
            credentials: None,
            streams_for_notifications: false,
            sets_cookies: false,
            answers_with_another_id: false,
            name: None,
        };
        let shared = Shared {
            has_sessions,
            script: Mutex::new(script),
            sessions: Mutex::default(),
            minted: AtomicU64::new(0),
            seen: Mutex::default(),
            gate: Semaphore::new(0),
            conversation: Conversation::default(),
            running: watch::Sender::new(0),
            finished: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    pub(crate) fn script(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.shared.script.lock().unwrap());
    }

    /// Forgets every session, as a restart would.
    pub(crate) fn forget(&self) {
        self.shared.sessions.lock().unwrap().clear();
    }

    /// Sessions that were opened here and not closed.
    pub(crate) fn sessions(&self) -> usize {
        self.shared.sessions.lock().unwrap().len()
    }

    /// Sessions that were ever opened here.
    pub(crate) fn minted(&self) -> u64 {
        self.shared.minted.load(Ordering::SeqCst)
    }

    /// Everything this service was asked, in order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// How often a JSON-RPC method was asked for.
    pub(crate) fn asked(&self, method: &str) -> usize {
        self.seen().iter().filter(|seen| seen.method() == method).count()
    }

    /// The last request with this JSON-RPC method.
    pub(crate) fn last(&self, method: &str) -> Seen {
        self.seen().into_iter().rfind(|seen| seen.method() == method).expect("the service was asked")
    }

    /// Lets one that waits go on.
    pub(crate) fn let_one_go(&self) {
        self.shared.gate.add_permits(1);
    }

    /// Calls and streams that have begun and neither finished nor been dropped.
    pub(crate) fn running(&self) -> u64 {
        *self.shared.running.borrow()
    }

    /// Calls that were carried through to their end.
    pub(crate) fn finished(&self) -> u64 {
        self.shared.finished.load(Ordering::SeqCst)
    }

    fn begin(&self) -> Running {
        self.shared.running.send_modify(|running| *running += 1);
        Running { shared: Arc::clone(&self.shared) }
    }

    async fn wait(&self) {
        self.shared.gate.acquire().await.expect("the gate stays open").forget();
    }

    fn mint(&self) -> HeaderValue {
        let number = self.shared.minted.fetch_add(1, Ordering::SeqCst);
        let id = format!("inner-{number}");
        self.shared.sessions.lock().unwrap().insert(id.clone());
        HeaderValue::from_str(&id).unwrap()
    }

    async fn answer(self, request: Request<RequestBody>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let Ok(body) = body.collect().await else { return answers::status(StatusCode::BAD_REQUEST) };
        let seen = Seen {
            http_method: parts.method,
            headers: parts.headers,
            body: body.to_bytes(),
            session: parts.extensions.get::<McpSession>().cloned(),
            replayed: parts.extensions.get::<Replayed>().is_some(),
        };
        framing::assert_whole(&seen);
        self.shared.seen.lock().unwrap().push(seen.clone());
        let message: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        let script = *self.shared.script.lock().unwrap();
        if script.credentials.is_some_and(|wanted| seen.header("authorization") != Some(wanted)) {
            return answers::challenge();
        }
        if message["method"] == "initialize" {
            return self.answer_initialize(script.initialize, &message).await;
        }
        if seen.http_method == Method::DELETE {
            return self.close(&seen);
        }
        if let Some(unknown) = self.refuse_unknown_id(&script, &seen, &message) {
            return unknown;
        }
        match seen.http_method {
            Method::GET if script.listens => self.listen(script.greets),
            Method::GET => answers::status(StatusCode::METHOD_NOT_ALLOWED),
            _ => self.answer_message(&script, &seen, &message).await,
        }
    }

    fn refuse_unknown_id(&self, script: &Script, seen: &Seen, message: &Value) -> Option<Response<Body>> {
        let is_modern = !message["params"]["_meta"].is_null();
        if !self.shared.has_sessions || is_modern {
            return None;
        }
        let known =
            seen.header(SESSION_ID.as_str()).is_some_and(|id| self.shared.sessions.lock().unwrap().contains(id));
        match (known && !script.amnesia, script.unknown_id) {
            (true, _) => None,
            (false, OnUnknownId::PlainText) => Some(answers::text(StatusCode::NOT_FOUND, "no such session")),
            (false, OnUnknownId::JsonRpcError) => Some(answers::lost(&message["id"])),
        }
    }

    fn close(&self, seen: &Seen) -> Response<Body> {
        let id = seen.header(SESSION_ID.as_str()).unwrap_or_default();
        self.shared.sessions.lock().unwrap().remove(id);
        answers::status(StatusCode::ACCEPTED)
    }
}

/// A call in progress.
struct Running {
    shared: Arc<Shared>,
}

impl Running {
    fn finish(&self) {
        self.shared.finished.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.running.send_modify(|running| *running -= 1);
    }
}

impl Service<Request<RequestBody>> for Scripted {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.answer(request).await) })
    }
}

/// The result of an `initialize` that asked for `version`.
fn accepted(id: &Value, version: &Value, name: Option<&str>) -> Value {
    let server = json!({ "name": name.unwrap_or("scripted"), "version": "1" });
    json!({ "jsonrpc": "2.0", "id": id, "result": {
        "protocolVersion": version, "capabilities": { "tools": {} }, "serverInfo": server,
    }})
}
