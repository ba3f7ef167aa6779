//! Who sits at the client in a round: answers questions, watches progress, and hears what the server says by itself.
#![expect(deprecated, reason = "2026-07-28 deprecates log messages; sessions of 2025 have them")]

use std::sync::{Arc, Mutex};

use rmcp::model::{
    ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult, ElicitationAction, Implementation,
    LoggingMessageNotificationParam, ProgressNotificationParam, ResourceUpdatedNotificationParam,
};
use rmcp::service::{NotificationContext, RequestContext};
use rmcp::{ClientHandler, ErrorData, RoleClient};
use serde_json::{Value, json};

/// One round's visitor. Clones are the same one.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    answer: Arc<str>,
    heard: Arc<Mutex<Heard>>,
}

/// What the visitor was told, in order.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) questions: Vec<String>,
    /// How far the call is, and of how much.
    pub(super) progress: Vec<(f64, Option<f64>)>,
    pub(super) list_changed: usize,
    /// URIs.
    pub(super) updated: Vec<String>,
    /// What was logged.
    pub(super) logged: Vec<Value>,
}

impl Visitor {
    /// Answers every question with `answer`.
    pub(super) fn new(answer: String) -> Self {
        Self { answer: answer.into(), heard: Arc::default() }
    }

    /// Looks at what was heard so far, or forgets some of it.
    pub(super) fn heard<T>(&self, look: impl FnOnce(&mut Heard) -> T) -> T {
        look(&mut self.heard.lock().unwrap())
    }
}

impl ClientHandler for Visitor {
    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let ElicitRequestParams::FormElicitationParams { message, .. } = request else {
            return Err(ErrorData::invalid_params("a form was expected", None));
        };
        self.heard(|heard| heard.questions.push(message));
        let answer = json!({"answer": &*self.answer});
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(answer))
    }

    async fn on_progress(&self, step: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.heard(|heard| heard.progress.push((step.progress, step.total)));
    }

    async fn on_resource_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.heard(|heard| heard.list_changed += 1);
    }

    async fn on_resource_updated(&self, note: ResourceUpdatedNotificationParam, _: NotificationContext<RoleClient>) {
        self.heard(|heard| heard.updated.push(note.uri));
    }

    async fn on_logging_message(&self, message: LoggingMessageNotificationParam, _: NotificationContext<RoleClient>) {
        self.heard(|heard| heard.logged.push(message.data));
    }

    fn get_info(&self) -> ClientConfig {
        let capabilities = ClientCapabilities::builder().enable_elicitation().build();
        ClientConfig::new(capabilities, Implementation::new("rust-rounds", "1"))
    }
}
