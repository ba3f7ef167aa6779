//! [`MonitorBuilder`]: what can be chosen about a monitor.

use std::fmt;
use std::sync::Arc;

use super::access::Access;
use super::feed::hub::Hub;
use super::service::{Monitor, SessionFeed};

/// Builds a [`Monitor`] or a [`SessionFeed`].
#[must_use = "a builder does nothing until built"]
pub struct MonitorBuilder {
    hub: Arc<Hub>,
    access: Access,
    may_terminate: bool,
    mount: Option<Arc<str>>,
}

impl MonitorBuilder {
    pub(crate) const fn new(hub: Arc<Hub>) -> Self {
        Self { hub, access: Access::closed(), may_terminate: false, mount: None }
    }

    /// Who may look and act. Default: nobody; clients still reconnect and get tokens for their own secrets.
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Lets admins end sessions. Default: the monitor is read-only.
    pub const fn allow_terminate(mut self, allowed: bool) -> Self {
        self.may_terminate = allowed;
        self
    }

    /// Says where it is mounted, such as `/monitor`, for a router that hands it the path as it is: who asks for that without the
    /// slash is sent to `/monitor/` (308), where relative links work. Default: it is not told, and does not send anybody anywhere.
    ///
    /// ```
    /// # use tower_mcp_sessions::{SessionLayer, monitor::Access, store::MemoryStore};
    /// # let sessions = SessionLayer::builder(MemoryStore::new()).build();
    /// let monitor = sessions.monitor().access(Access::loopback_only()).mounted_at("/monitor").build();
    /// let app: axum::Router = axum::Router::new()
    ///     .route_service("/monitor", monitor.clone())
    ///     .nest_service("/monitor/", monitor);
    /// ```
    pub fn mounted_at(mut self, path: &str) -> Self {
        self.mount = Some(path.trim_end_matches('/').into());
        self
    }

    /// Builds the whole monitor.
    #[must_use]
    pub fn build(self) -> Monitor {
        Monitor { hub: self.hub, access: self.access, may_terminate: self.may_terminate, mount: self.mount }
    }

    /// Builds the WebSocket service alone: it answers every path it is mounted at.
    #[must_use]
    pub fn feed(self) -> SessionFeed {
        SessionFeed { hub: self.hub, access: self.access }
    }
}

impl fmt::Debug for MonitorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitorBuilder").field("access", &self.access).finish_non_exhaustive()
    }
}
