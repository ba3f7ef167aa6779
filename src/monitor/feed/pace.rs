//! How long viewers may take, and how many there may be.

use std::time::Duration;

/// What [`MonitorBuilder`](crate::monitor::MonitorBuilder) decides about viewers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// How long a viewer may take to say hello.
    pub(crate) hello: Duration,
    /// How often a viewer is asked whether it is there.
    pub(crate) ping: Duration,
    /// How long it may take to answer.
    pub(crate) pong: Duration,
    /// How often it is asked again whether a viewer may look.
    pub(crate) recheck: Duration,
    /// Viewers at once.
    pub(crate) viewers: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            hello: Duration::from_secs(10),
            ping: Duration::from_secs(25),
            pong: Duration::from_secs(10),
            recheck: Duration::from_secs(60),
            viewers: 1000,
        }
    }
}
