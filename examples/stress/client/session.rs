//! One client in its session: each method is one exchange.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde_json::{Value, json};

use super::answer::{result_of, successful};
use super::stream::Events;
use super::{Client, Failure};

const SESSION_ID: &str = "mcp-session-id";
const PROTOCOL_VERSION: &str = "mcp-protocol-version";
const RECONNECT_TOKEN: &str = "mcp-reconnect-token";

const SPOKEN: &str = "2025-11-25";
/// A session id of tower-mcp-sessions, and how much of it everybody may know.
const ID_CHARS: usize = 43;
const KEY_CHARS: usize = 16;

/// What a client brings along when it connects.
#[derive(Clone, Copy, Debug)]
pub enum Coming<'a> {
    /// Nothing: it wants a new session.
    New,
    /// A reconnect token.
    With(&'a str),
}

/// An open session. Clones are the same session.
#[derive(Clone)]
pub struct Session {
    client: Client,
    inner: Arc<Inner>,
}

struct Inner {
    id: Option<String>,
    version: String,
    token: Mutex<Option<String>>,
    next: AtomicU64,
}

impl Client {
    /// Connects: `initialize`, and that it was understood.
    pub async fn open(&self) -> Result<Session, Failure> {
        self.come(Coming::New).await
    }

    /// Connects with what the client brings along.
    pub async fn come(&self, coming: Coming<'_>) -> Result<Session, Failure> {
        let message = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": SPOKEN,
            "capabilities": {},
            "clientInfo": {"name": self.name, "version": self.version},
        }});
        let mut request = self.request(Method::POST).json(&message);
        if let Coming::With(token) = coming {
            request = request.header(RECONNECT_TOKEN, token);
        }
        let response = successful(request.timeout(self.target.patience).send().await?).await?;
        let (id, token) = (text(&response, SESSION_ID), text(&response, RECONNECT_TOKEN));
        let result = result_of(response, 0).await?;
        let Some(version) = result["protocolVersion"].as_str() else {
            return Err(Failure::NotMcp("the answer to initialize names no protocol version".to_owned()));
        };
        let inner = Inner { id, version: version.to_owned(), token: Mutex::new(token), next: AtomicU64::new(1) };
        let session = Session { client: self.clone(), inner: Arc::new(inner) };
        session.notify("notifications/initialized").await?;
        Ok(session)
    }

    fn request(&self, method: Method) -> RequestBuilder {
        let url = self.target.url(self.home);
        let request =
            self.target.http.request(method, url).header(header::ACCEPT, "application/json, text/event-stream");
        match (&self.target.principal_header, &self.principal) {
            (Some(name), Some(principal)) => request.header(name, principal),
            _ => request,
        }
    }
}

impl Session {
    /// The same session by way of another replica.
    pub fn at(&self, home: usize) -> Self {
        Self { client: Client { home, ..self.client.clone() }, inner: Arc::clone(&self.inner) }
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Whether the server keeps sessions at all.
    pub fn has_id(&self) -> bool {
        self.inner.id.is_some()
    }

    /// What the session is called in public, if the id is one of tower-mcp-sessions.
    pub fn key(&self) -> Option<&str> {
        let id = self.inner.id.as_deref().filter(|id| id.len() == ID_CHARS)?;
        id.get(..KEY_CHARS)
    }

    /// What tells it from all others; the same for life where sessions have a key. For no eyes: it may be the whole id.
    pub(super) fn name(&self) -> Option<&str> {
        self.key().or(self.inner.id.as_deref())
    }

    /// Whether both are known to the server by the same id.
    pub fn has_id_of(&self, other: &Self) -> bool {
        self.has_id() && self.inner.id == other.inner.id
    }

    /// The newest reconnect token.
    pub fn token(&self) -> Option<String> {
        self.inner.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks, and returns the result.
    pub async fn ask(&self, method: &str, params: Value) -> Result<Value, Failure> {
        let id = self.next_id();
        let patience = self.client.target.patience;
        let response = self.send(id, method, &params).timeout(patience).send().await?;
        if let Some(token) = text(&response, RECONNECT_TOKEN) {
            *self.inner.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
        }
        result_of(response, id).await
    }

    /// Calls a tool, and returns the text it answers with.
    pub async fn call(&self, tool: &str, arguments: Value) -> Result<String, Failure> {
        let result = self.ask("tools/call", json!({"name": tool, "arguments": arguments})).await?;
        let text = result["content"][0]["text"].as_str().unwrap_or_default().to_owned();
        if result["isError"] == true { Err(Failure::Tool(text)) } else { Ok(text) }
    }

    /// Calls a tool that tells its progress, and returns the stream as it begins.
    pub async fn call_begun(&self, tool: &str, arguments: Value) -> Result<(u64, Response), Failure> {
        let id = self.next_id();
        let params = json!({"name": tool, "arguments": arguments, "_meta": {"progressToken": id}});
        let response = self.send(id, "tools/call", &params).send().await?;
        Ok((id, successful(response).await?))
    }

    /// Goes on with a stream after one of its events.
    pub async fn resume(&self, after: &str) -> Result<Events, Failure> {
        let request = self.with_id(Method::GET).header("last-event-id", after);
        Ok(Events::of(successful(request.send().await?).await?))
    }

    /// Opens the stream on which the server speaks by itself.
    pub async fn listen(&self) -> Result<Events, Failure> {
        Ok(Events::of(successful(self.with_id(Method::GET).send().await?).await?))
    }

    pub async fn ping(&self) -> Result<(), Failure> {
        self.ask("ping", json!({})).await.map(drop)
    }

    /// Ends the session. A server need not offer that.
    pub async fn close(&self) -> Result<(), Failure> {
        let response = self.with_id(Method::DELETE).timeout(self.client.target.patience).send().await?;
        match response.status() {
            StatusCode::METHOD_NOT_ALLOWED => Ok(()),
            _ => successful(response).await.map(drop),
        }
    }

    async fn notify(&self, method: &str) -> Result<(), Failure> {
        let message = json!({"jsonrpc": "2.0", "method": method});
        let request = self.with_id(Method::POST).json(&message).timeout(self.client.target.patience);
        successful(request.send().await?).await.map(drop)
    }

    /// Every session counts its requests from 1, so that ids alone do not tell whose an answer is.
    fn next_id(&self) -> u64 {
        self.inner.next.fetch_add(1, Ordering::Relaxed)
    }

    fn send(&self, id: u64, method: &str, params: &Value) -> RequestBuilder {
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.with_id(Method::POST).json(&message)
    }

    fn with_id(&self, method: Method) -> RequestBuilder {
        let request = self.client.request(method).header(PROTOCOL_VERSION, &self.inner.version);
        match &self.inner.id {
            Some(id) => request.header(SESSION_ID, id),
            None => request,
        }
    }
}

fn text(response: &Response, header: &str) -> Option<String> {
    Some(response.headers().get(header)?.to_str().ok()?.to_owned())
}
