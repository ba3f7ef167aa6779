//! The Rust SDK, `rmcp`, as a client.

use std::sync::{Arc, Mutex};

use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult,
    ElicitationAction, Implementation, ProgressNotificationParam, ProtocolVersion, ReadResourceRequestParams,
    ResourceContents,
};
use rmcp::service::{
    ClientLifecycleMode, ClientServiceExt, NotificationContext, QuitReason, RequestContext, RunningService,
    ServiceError,
};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, ErrorData, RoleClient};
use serde_json::{Value, json};

use super::Subject;
use crate::harness::eventually::eventually;

#[tokio::test]
async fn rmcp_can_use_every_tool() {
    for Subject { server, stateful, .. } in Subject::all().await {
        let client = Client::connect(&server.mcp(), ClientLifecycleMode::Initialize).await;
        client.lists_calls_and_sees_progress().await;
        client.finds_its_notes_again().await;
        client.survives_a_panic().await;
        if stateful {
            client.answers_when_asked().await;
        } else {
            client.cannot_be_asked().await;
        }
        let key = client.whoami().await["session"].as_str().expect("a session").to_owned();
        client.close().await;
        let terminated = |line: &str| line.contains("session_terminated") && line.contains(&key);
        let over = async || server.stderr().lines().any(terminated);
        eventually("the client's DELETE has ended its session", over).await;
    }
}

#[tokio::test]
async fn rmcp_can_use_every_tool_without_a_session() {
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
    without_a_session(ClientLifecycleMode::Discover { preferred_versions }).await;
}

#[tokio::test]
async fn rmcp_chooses_to_go_without_a_session() {
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
    without_a_session(ClientLifecycleMode::Auto { preferred_versions, legacy_version: None }).await;
}

async fn without_a_session(lifecycle: ClientLifecycleMode) {
    for Subject { server, .. } in Subject::all().await {
        let client = Client::connect(&server.mcp(), lifecycle.clone()).await;
        client.lists_calls_and_sees_progress().await;
        client.survives_a_panic().await;
        client.answers_when_asked().await;
        assert_eq!(client.whoami().await["session"], Value::Null);
        client.close().await;
    }
}

/// A connected client, and what it was told.
struct Client {
    service: RunningService<RoleClient, Person>,
}

/// How far a call is, and of how much.
type Step = (f64, Option<f64>);

/// Who sits at the client: answers questions and watches progress.
#[derive(Clone, Default)]
struct Person {
    progress: Arc<Mutex<Vec<Step>>>,
}

impl ClientHandler for Person {
    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let ElicitRequestParams::FormElicitationParams { message, .. } = request else {
            return Err(ErrorData::invalid_params("a form was expected", None));
        };
        let answer = json!({"answer": format!("an answer to {message}")});
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(answer))
    }

    async fn on_progress(&self, step: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.progress.lock().unwrap().push((step.progress, step.total));
    }

    fn get_info(&self) -> ClientConfig {
        let capabilities = ClientCapabilities::builder().enable_elicitation().build();
        ClientConfig::new(capabilities, Implementation::new("rust", "1"))
    }
}

impl Client {
    async fn connect(url: &str, lifecycle: ClientLifecycleMode) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        let config = StreamableHttpClientTransportConfig::with_uri(url);
        let transport = StreamableHttpClientTransport::with_client(http, config);
        let service = Person::default().serve_with_lifecycle(transport, lifecycle).await;
        Self { service: service.unwrap_or_else(|error| panic!("{url}: {error:?}")) }
    }

    async fn lists_calls_and_sees_progress(&self) {
        let tools = self.service.list_all_tools().await.expect("a list of tools");
        for tool in ["add", "ask", "countdown", "whoami"] {
            assert!(tools.iter().any(|listed| listed.name == tool), "{tool} is missing");
        }
        assert_eq!(self.says("add", json!({"a": 19, "b": 23})).await, "42");
        assert_eq!(self.whoami().await["client"]["name"], "rust");
        assert_eq!(self.says("countdown", json!({"from": 3, "interval_ms": 50})).await, "counted to 3");
        let steps = || self.service.service().progress.lock().unwrap().clone();
        eventually("all progress is heard of", async || steps().len() >= 3).await;
        assert_eq!(steps(), [1.0, 2.0, 3.0].map(|step| (step, Some(3.0))));
    }

    async fn finds_its_notes_again(&self) {
        self.says("note_put", json!({"name": "colour", "value": "teal"})).await;
        assert_eq!(self.says("note_get", json!({"name": "colour"})).await, "teal");
        self.says("note_put", json!({"name": "ä b/c#d", "value": "odd"})).await;
        let listed = self.service.list_all_resources().await.expect("a list of resources");
        let listed: Vec<_> = listed.into_iter().map(|resource| resource.uri).collect();
        assert_eq!(listed, ["note://colour", "note://%C3%A4%20b%2Fc%23d"]);
        assert_eq!([self.reads(&listed[0]).await, self.reads(&listed[1]).await], ["teal", "odd"]);
    }

    /// The text of a resource.
    async fn reads(&self, uri: &str) -> String {
        let read = self.service.read_resource(ReadResourceRequestParams::new(uri)).await.expect("a resource");
        match &read.contents[..] {
            [ResourceContents::TextResourceContents { text, .. }] => text.clone(),
            other => panic!("no text: {other:?}"),
        }
    }

    async fn survives_a_panic(&self) {
        self.call("boom", json!({})).await.expect_err("boom panics");
        assert_eq!(self.says("echo", json!({"text": "still here"})).await, "still here");
    }

    async fn answers_when_asked(&self) {
        assert_eq!(self.says("ask", json!({"question": "What is it?"})).await, "an answer to What is it?");
    }

    async fn cannot_be_asked(&self) {
        let result = self.call("ask", json!({"question": "What is it?"})).await.expect("an answer");
        assert_eq!(result.is_error, Some(true), "{result:?}");
    }

    async fn whoami(&self) -> Value {
        let result = self.call("whoami", json!({})).await.expect("an answer");
        result.structured_content.unwrap_or_default()
    }

    async fn close(mut self) {
        let reason = self.service.close().await.expect("the client's task ends well");
        assert!(matches!(reason, QuitReason::Cancelled), "{reason:?}");
    }

    /// The text of a result that is no error.
    async fn says(&self, tool: &str, arguments: Value) -> String {
        let result = self.call(tool, arguments).await.unwrap_or_else(|error| panic!("{tool}: {error:?}"));
        assert_ne!(result.is_error, Some(true), "{result:?}");
        let text = result.content.first().and_then(|block| block.as_text());
        text.unwrap_or_else(|| panic!("no text in {result:?}")).text.clone()
    }

    async fn call(&self, tool: &str, arguments: Value) -> Result<CallToolResult, ServiceError> {
        let Value::Object(arguments) = arguments else { unreachable!("arguments are objects") };
        self.service.call_tool(CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments)).await
    }
}
