//! A client in the same process: requests as a real one sends them, without sockets.

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use tower::{BoxError, ServiceExt};

use crate::stage::Service;

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"0"}}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

pub struct Client {
    service: Service,
    session: Option<HeaderValue>,
}

impl Client {
    /// A client without a session.
    pub fn unknown(service: &Service) -> Self {
        Self { service: service.clone(), session: None }
    }

    /// A client with a session of its own.
    pub async fn open(service: &Service) -> Self {
        let mut client = Self::unknown(service);
        let answer = client.initialize().await;
        // A bare service gives no id; it gets the same headers all the same.
        let made_up = HeaderValue::from_static("0123456789abcdefghijklmnopqrstuvwxyzABCDEFG");
        client.session = Some(answer.headers().get("mcp-session-id").cloned().unwrap_or(made_up));
        client.send(INITIALIZED).await;
        client
    }

    pub async fn initialize(&self) -> Response<UnsyncBoxBody<Bytes, BoxError>> {
        let answer = self.send(INITIALIZE).await;
        assert_eq!(answer.status(), 200);
        answer
    }

    pub async fn ping(&self) {
        self.post(PING).await;
    }

    /// The whole answer to a request.
    pub async fn post(&self, body: &'static str) -> String {
        let answer = self.send(body).await;
        assert_eq!(answer.status(), 200);
        let answer = answer.into_body().collect().await.expect("a whole answer").to_bytes();
        String::from_utf8(answer.into()).expect("JSON")
    }

    async fn send(&self, body: &'static str) -> Response<UnsyncBoxBody<Bytes, BoxError>> {
        let mut request = Request::post("/mcp")
            .header("host", "127.0.0.1")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2025-11-25");
        if let Some(session) = &self.session {
            request = request.header("mcp-session-id", session);
        }
        let request = request.body(Full::from(body)).expect("a request");
        self.service.clone().oneshot(request).await.unwrap_or_else(|never| match never {})
    }
}
