//! The tools of the example server: small enough to read in one sitting, and one for each thing a session layer
//! has to carry.
//!
//! | tool | what it shows |
//! |---|---|
//! | `echo`, `add` | a plain call |
//! | `whoami` | what a handler learns from its session, and which replica served the call |
//! | `note_put`, `note_get` | session data, found again on every replica; notes are [`resources`] too |
//! | `counter` | the handler's own memory: *not* carried to another replica, the honest limit ([`memory`]) |
//! | `countdown` | progress notifications on the call's stream |
//! | `ask` | a question from the server to the client, in both eras (see [`ask`]) |
//! | `boom` | a panic, which must cost one call and nothing else (see [`panics`]) |

mod arguments;
mod ask;
mod countdown;
mod handler;
mod memory;
mod news;
mod notes;
mod panics;
mod resources;
mod session;

use std::sync::{Arc, LazyLock};

use rmcp::handler::server::tool::{InputResponses, ToolRouter};
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::CallToolResponse;
use rmcp::service::RequestContext;
use rmcp::{RoleServer, tool, tool_router};

use self::arguments::{Add, Ask, Countdown, Echo, Note, NoteName};
use self::memory::Memory;
use self::session::{WhoAmI, data_error, required_session, session};

/// A tool's answer: its text, or the text of a *tool* error (`isError: true`), which the model gets to read.
type Answer = Result<String, String>;

/// Built once: with a stateless rmcp every request makes a handler of its own.
static ROUTER: LazyLock<ToolRouter<Tools>> = LazyLock::new(Tools::tool_router);

/// The MCP handler. rmcp makes one for each of its sessions, or for each request when it keeps none.
#[derive(Debug)]
pub struct Tools {
    replica: Arc<str>,
    /// rmcp keeps its own sessions, each with one handler.
    stateful: bool,
    memory: Memory,
}

impl Tools {
    /// A handler that says it is on `replica`, for a whole session of a `stateful` rmcp or for one request.
    pub fn new(replica: Arc<str>, stateful: bool) -> Self {
        Self { replica, stateful, memory: Memory::default() }
    }

    /// The handler's memory, if the session's next request finds it again.
    fn lasting_memory(&self, context: &RequestContext<RoleServer>) -> Option<&Memory> {
        (self.stateful && session(context).is_some()).then_some(&self.memory)
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

    #[tool(description = "Tells which replica served this call, whom it sees and what it remembers of the session")]
    #[expect(clippy::needless_pass_by_value, reason = "rmcp hands it over")]
    fn whoami(&self, context: RequestContext<RoleServer>) -> Json<WhoAmI> {
        Json(WhoAmI::of(&self.replica, self.lasting_memory(&context), &context))
    }

    #[tool(description = "Keeps a note in the session's data")]
    async fn note_put(&self, Parameters(note): Parameters<Note>, context: RequestContext<RoleServer>) -> Answer {
        let session = required_session(&context)?;
        let written = notes::put(session, &note.name, &note.value).await.map_err(|error| data_error(&error))?;
        if let Some(memory) = self.lasting_memory(&context) {
            news::tell(&note.name, written, memory, &context.peer).await;
        }
        Ok(format!("noted {:?}", note.name))
    }

    #[tool(description = "Reads a note from the session's data")]
    async fn note_get(&self, Parameters(note): Parameters<NoteName>, context: RequestContext<RoleServer>) -> Answer {
        let session = required_session(&context)?;
        let value = notes::get(session, &note.name).await.map_err(|error| data_error(&error))?;
        value.ok_or_else(|| format!("there is no note named {:?}", note.name))
    }

    #[tool(description = "Counts its calls in memory that stays on one replica")]
    #[expect(clippy::needless_pass_by_value, reason = "rmcp hands it over")]
    fn counter(&self, context: RequestContext<RoleServer>) -> Answer {
        required_session(&context)?;
        Ok(self.memory.count().to_string())
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
