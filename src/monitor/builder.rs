//! [`MonitorBuilder`]: what can be chosen about a monitor.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::access::Access;
use super::feed::hub::Hub;
use super::feed::pace::Pace;
use super::service::{Monitor, SessionFeed};

/// Builds a [`Monitor`] or a [`SessionFeed`].
#[must_use = "a builder does nothing until built"]
pub struct MonitorBuilder {
    hub: Arc<Hub>,
    access: Access,
    may_terminate: bool,
    mount: Arc<str>,
    pace: Pace,
}

impl MonitorBuilder {
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        Self { hub, access: Access::closed(), may_terminate: false, mount: "".into(), pace: Pace::default() }
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

    /// How many may watch the feed of this layer at once, over WebSocket and SSE; the next one is told to try another replica.
    /// Default: 1000.
    pub const fn viewers(mut self, most: usize) -> Self {
        self.pace.viewers = most;
        self
    }

    /// How often a WebSocket's viewer is asked whether it is there. Default: 25 s.
    ///
    /// # Panics
    ///
    /// If it is zero.
    pub fn ping_every(mut self, period: Duration) -> Self {
        assert!(!period.is_zero(), "pings need time between them");
        self.pace.ping = period;
        self
    }

    /// How long it may take to answer. Default: 10 s.
    pub const fn pong_within(mut self, limit: Duration) -> Self {
        self.pace.pong = limit;
        self
    }

    /// How long a WebSocket's viewer may take to say hello. Default: 10 s.
    pub const fn hello_within(mut self, limit: Duration) -> Self {
        self.pace.hello = limit;
        self
    }

    /// How often [`Access`] is asked again whether somebody may look who has been looking for long. Default: 60 s.
    ///
    /// # Panics
    ///
    /// If it is zero.
    pub fn recheck_every(mut self, period: Duration) -> Self {
        assert!(!period.is_zero(), "there is time between looking and looking again");
        self.pace.recheck = period;
        self
    }

    /// Says where it is mounted, such as `/monitor`, in an app that hands it the path as it is: plain hyper, or a fallback. It
    /// answers below that path and nowhere else; who asks for it without a slash at its end is sent to `/monitor/` (308), where
    /// relative links work. Default: the root, which is also right where what stands before is taken off on the way, as axum's
    /// `nest_service` and many proxies do.
    ///
    /// ```
    /// # use tower_mcp_sessions::{SessionLayer, monitor::Access, store::MemoryStore};
    /// # let sessions = SessionLayer::builder(MemoryStore::new()).build();
    /// # let access = Access::closed();
    /// let monitor = sessions.monitor().access(access).mounted_at("/monitor").build();
    /// let app: axum::Router = axum::Router::new()
    ///     .route_service("/monitor", monitor.clone())
    ///     .route_service("/monitor/", monitor.clone())
    ///     .route_service("/monitor/{*rest}", monitor);
    /// ```
    pub fn mounted_at(mut self, path: &str) -> Self {
        let path = path.trim_matches('/');
        self.mount = if path.is_empty() { "".into() } else { format!("/{path}").into() };
        self
    }

    /// Builds the whole monitor.
    #[must_use]
    pub fn build(self) -> Monitor {
        let Self { hub, access, may_terminate, mount, pace } = self;
        Monitor { hub, access, may_terminate, mount, pace }
    }

    /// Builds the WebSocket service alone: it answers every path it is mounted at.
    #[must_use]
    pub fn feed(self) -> SessionFeed {
        SessionFeed { hub: self.hub, access: self.access, pace: self.pace }
    }
}

impl fmt::Debug for MonitorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitorBuilder").field("access", &self.access).finish_non_exhaustive()
    }
}
