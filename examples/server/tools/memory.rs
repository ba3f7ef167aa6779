//! What a handler remembers of its session, on this replica alone.
//!
//! The layer does not carry a handler's memory to other replicas. It does repeat there what the client once asked for, its log
//! level and its subscriptions; so these are found on each replica, and the count of calls is not.
#![expect(deprecated, reason = "2026-07-28 deprecates log levels; sessions of 2025 have them")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rmcp::model::LoggingLevel;

/// One handler's memory.
#[derive(Debug, Default)]
pub struct Memory {
    calls: AtomicU64,
    wishes: Mutex<Wishes>,
}

/// What the client has asked for.
#[derive(Debug, Default)]
struct Wishes {
    log_level: Option<LoggingLevel>,
    /// Names of notes.
    subscriptions: BTreeSet<String>,
}

impl Memory {
    /// Counts a call, and says how many there were.
    pub fn count(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub fn subscribe(&self, note: String) {
        self.wishes().subscriptions.insert(note);
    }

    pub fn unsubscribe(&self, note: &str) {
        self.wishes().subscriptions.remove(note);
    }

    pub fn is_subscribed(&self, note: &str) -> bool {
        self.wishes().subscriptions.contains(note)
    }

    /// The notes subscribed to, in order.
    pub fn subscriptions(&self) -> Vec<String> {
        self.wishes().subscriptions.iter().cloned().collect()
    }

    pub fn set_log_level(&self, level: LoggingLevel) {
        self.wishes().log_level = Some(level);
    }

    pub fn log_level(&self) -> Option<LoggingLevel> {
        self.wishes().log_level
    }

    /// Whether the client wants messages of level info. Before it has set a level it gets none.
    pub fn logs_info(&self) -> bool {
        matches!(self.log_level(), Some(LoggingLevel::Debug | LoggingLevel::Info))
    }

    fn wishes(&self) -> MutexGuard<'_, Wishes> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
