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
    pace: Pace,
}

impl MonitorBuilder {
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        Self { hub, access: Access::closed(), may_terminate: false, pace: Pace::default() }
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

    /// Builds the whole monitor.
    #[must_use]
    pub fn build(self) -> Monitor {
        Monitor { hub: self.hub, access: self.access, may_terminate: self.may_terminate, pace: self.pace }
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
