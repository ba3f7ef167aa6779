//! Counts and times, told to whichever recorder of the [`metrics`](https://docs.rs/metrics) facade the application has
//! installed. Without the feature `metrics` nothing is counted, and nothing costs anything.
//!
//! The table of them is in the [crate's documentation](crate#metrics).

#[cfg(feature = "metrics")]
use std::time::Instant;

use http::Response;

use crate::outcome::ReconnectOutcome;
use crate::session::EndReason;

/// Adds one to a counter.
macro_rules! count {
    ($name:literal $(, $label:literal => $value:expr)*) => {{
        #[cfg(feature = "metrics")]
        metrics::counter!($name $(, $label => $value)*).increment(1);
        #[cfg(not(feature = "metrics"))]
        let _ = ($($value,)*);
    }};
}

pub(crate) fn session_opened() {
    count!("mcp_sessions_opened_total");
}

pub(crate) fn session_disconnected() {
    count!("mcp_sessions_disconnected_total");
}

/// `how`: `return` with the id, or `token`.
pub(crate) fn session_reconnected(how: &'static str) {
    count!("mcp_sessions_reconnected_total", "how" => how);
}

pub(crate) fn session_adopted() {
    count!("mcp_sessions_adopted_total");
}

pub(crate) fn session_ended(reason: EndReason) {
    count!("mcp_sessions_ended_total", "reason" => reason.as_str());
}

/// An inner session that all replicas shared was closed with its client's, or could not be.
pub(crate) fn inner_session_closed(done: bool) {
    count!("mcp_sessions_inner_closed_total", "outcome" => if done { "closed" } else { "refused" });
}

pub(crate) fn reconnect_attempted(door: &'static str, outcome: ReconnectOutcome) {
    count!("mcp_sessions_reconnect_attempts_total", "door" => door, "outcome" => outcome.as_str());
}

pub(crate) fn store_failed(operation: &'static str) {
    count!("mcp_sessions_store_errors_total", "operation" => operation);
}

/// A request, from its arrival to the head of its answer.
pub(crate) struct RequestTimer {
    #[cfg(feature = "metrics")]
    began: Instant,
    #[cfg(feature = "metrics")]
    era: &'static str,
}

impl RequestTimer {
    pub(crate) fn start() -> Self {
        Self {
            #[cfg(feature = "metrics")]
            began: Instant::now(),
            #[cfg(feature = "metrics")]
            era: "legacy",
        }
    }

    /// It belongs to a revision without sessions.
    #[cfg_attr(not(feature = "metrics"), expect(clippy::unused_self, reason = "there is nothing to note then"))]
    pub(crate) const fn note_modern(&mut self) {
        #[cfg(feature = "metrics")]
        {
            self.era = "modern";
        }
    }

    #[cfg_attr(not(feature = "metrics"), expect(clippy::unused_self, reason = "there is nothing to tell then"))]
    pub(crate) fn answered<B, E>(&self, answer: &Result<Response<B>, E>) {
        #[cfg(feature = "metrics")]
        {
            let status = answer.as_ref().map_or("error", |response| class_of(response.status()));
            metrics::counter!("mcp_sessions_requests_total", "era" => self.era, "status" => status).increment(1);
            metrics::histogram!("mcp_sessions_request_duration_seconds", "era" => self.era)
                .record(self.began.elapsed());
        }
        #[cfg(not(feature = "metrics"))]
        let _ = answer;
    }
}

#[cfg(feature = "metrics")]
fn class_of(status: http::StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

/// Counts as one of something for as long as it lives.
#[cfg(feature = "monitor")]
pub(crate) struct Present {
    #[cfg(feature = "metrics")]
    gauge: metrics::Gauge,
}

#[cfg(feature = "monitor")]
impl Present {
    /// Somebody who watches the feed, over `websocket` or `sse`.
    pub(crate) fn viewer(transport: &'static str) -> Self {
        #[cfg(feature = "metrics")]
        {
            let gauge = metrics::gauge!("mcp_sessions_feed_viewers", "transport" => transport);
            gauge.increment(1);
            Self { gauge }
        }
        #[cfg(not(feature = "metrics"))]
        {
            let _ = transport;
            Self {}
        }
    }
}

#[cfg(feature = "monitor")]
impl Drop for Present {
    fn drop(&mut self) {
        #[cfg(feature = "metrics")]
        self.gauge.decrement(1);
    }
}
