//! The tools of the example server: small enough to read in one sitting, and one for each thing a session layer
//! has to carry.
//!
//! | tool | what it shows |
//! |---|---|
//! | `echo`, `add` | a plain call |
//! | `whoami` | what a handler learns from its session, and which replica served the call |
//! | `note_put`, `note_get` | session data: kept in the store, found again on every replica |
//! | `counter` | the handler's own memory: *not* carried to another replica, the honest limit |
//! | `countdown` | progress notifications on the call's stream |
//! | `ask` | a question from the server to the client, in both eras (see [`ask`]) |
//! | `boom` | a panic, which must cost one call and nothing else (see [`panics`]) |

mod arguments;
mod ask;
mod countdown;
mod panics;
mod session;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use rmcp::handler::server::tool::{InputResponses, ToolCallContext, ToolRouter};
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::{CallToolRequestParams, CallToolResponse};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_handler, tool_router};

use self::arguments::{Add, Ask, Countdown, Echo, Note, NoteName};
use self::session::{WhoAmI, data_error, required_session};

/// A tool's answer: its text, or the text of a *tool* error (`isError: true`), which the model gets to read.
type Answer = Result<String, String>;

/// Built once: with a stateless rmcp every request makes a handler of its own.
static ROUTER: LazyLock<ToolRouter<Tools>> = LazyLock::new(Tools::tool_router);

/// The MCP handler. rmcp makes one for each of its sessions, or for each request when it keeps none.
#[derive(Debug)]
pub struct Tools {
    replica: Arc<str>,
    calls: AtomicU64,
}

impl Tools {
    /// A handler that says it is on `replica`.
    pub fn new(replica: Arc<str>) -> Self {
        Self { replica, calls: AtomicU64::new(0) }
    }
}

#[tool_router]
impl Tools {
    #[tool(description = "Says back what it is told")]
    fn echo(&self, Parameters(Echo { text }): Parameters<Echo>) -> String {
        text
    }

    #[tool(description = "Adds two whole numbers")]
    fn add(&self, Parameters(Add { a, b }): Parameters<Add>) -> Answer {
        let sum = a.checked_add(b).ok_or("the sum does not fit in 64 bits")?;
        Ok(sum.to_string())
    }

    #[tool(description = "Tells which replica served this call and whom it sees")]
    #[expect(clippy::needless_pass_by_value, reason = "rmcp hands it over")]
    fn whoami(&self, context: RequestContext<RoleServer>) -> Json<WhoAmI> {
        Json(WhoAmI::of(&self.replica, &context))
    }

    #[tool(description = "Keeps a note in the session's data")]
    async fn note_put(&self, Parameters(note): Parameters<Note>, context: RequestContext<RoleServer>) -> Answer {
        let session = required_session(&context)?;
        session.insert(&note.name, &note.value).await.map_err(|error| data_error(&error))?;
        Ok(format!("noted {:?}", note.name))
    }

    #[tool(description = "Reads a note from the session's data")]
    async fn note_get(&self, Parameters(note): Parameters<NoteName>, context: RequestContext<RoleServer>) -> Answer {
        let session = required_session(&context)?;
        let value: Option<String> = session.get(&note.name).await.map_err(|error| data_error(&error))?;
        value.ok_or_else(|| format!("there is no note named {:?}", note.name))
    }

    #[tool(description = "Counts its calls in memory that stays on one replica")]
    #[expect(clippy::needless_pass_by_value, reason = "rmcp hands it over")]
    fn counter(&self, context: RequestContext<RoleServer>) -> Answer {
        required_session(&context)?;
        Ok((self.calls.fetch_add(1, Ordering::Relaxed) + 1).to_string())
    }

    #[tool(description = "Counts up to `from` and reports each step as progress")]
    async fn countdown(&self, Parameters(count): Parameters<Countdown>, context: RequestContext<RoleServer>) -> Answer {
        countdown::count(count, &context).await
    }

    #[tool(description = "Asks the person at the client a question and returns the answer")]
    async fn ask(
        &self,
        Parameters(Ask { question }): Parameters<Ask>,
        InputResponses(answers): InputResponses,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, String> {
        ask::ask(question, answers, &context).await
    }

    #[tool(description = "Panics")]
    fn boom(&self) -> String {
        panic!("boom was asked to panic")
    }
}

#[tool_handler(
    router = ROUTER,
    name = "tower-mcp-sessions-server",
    instructions = "Try `whoami` first, then `note_put` and `note_get`."
)]
impl ServerHandler for Tools {
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let tool = request.name.clone();
        panics::answered(&tool, ROUTER.call(ToolCallContext::new(self, request, context))).await
    }
}
