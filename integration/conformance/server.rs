//! The server's state: what the whole process shares and what one session keeps.

use std::sync::{Arc, Mutex, PoisonError};

use rmcp::{
    RoleServer,
    handler::server::tool::ToolRouter,
    model::{LoggingLevel, ProtocolVersion},
    service::RequestContext,
    task_manager::TaskManager,
};

use crate::{changes::Changes, rounds::Seal, tools};

/// What rmcp tells about the request at hand.
pub(crate) type Context = RequestContext<RoleServer>;

/// What all sessions of one process have in common.
pub(crate) struct Shared {
    pub(crate) tools: ToolRouter<ConformanceServer>,
    pub(crate) tasks: TaskManager,
    pub(crate) changes: Changes,
    pub(crate) seal: Seal,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self { tools: tools::router(), tasks: TaskManager::new(), changes: Changes::new(), seal: Seal::new() }
    }
}

/// The handler rmcp makes once per session, and once per request where there is no session.
pub(crate) struct ConformanceServer {
    pub(crate) shared: Arc<Shared>,
    log_level: Mutex<LoggingLevel>,
}

impl ConformanceServer {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, log_level: Mutex::new(LoggingLevel::Debug) }
    }

    /// The least severe log message this caller wants, or `None` if it wants no log at all.
    ///
    /// A session sets its level with `logging/setLevel`; a self-contained request carries its own.
    pub(crate) fn log_level(&self, context: &Context) -> Option<LoggingLevel> {
        if is_self_contained(context) {
            return context.meta.log_level();
        }
        Some(*self.log_level.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_log_level(&self, level: LoggingLevel) {
        *self.log_level.lock().unwrap_or_else(PoisonError::into_inner) = level;
    }
}

/// Whether the request is of 2026-07-28, which has no sessions and no way to call the client back.
fn is_self_contained(context: &Context) -> bool {
    context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}
