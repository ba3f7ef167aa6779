//! Operations of a store that fail when a test says so, and so often.

use std::collections::HashMap;
use std::sync::Mutex;

use tower_mcp_sessions::store::{StoreError, StoreErrorKind};

/// How often each operation, by its method's name, still fails.
#[derive(Default)]
pub(crate) struct Failures(Mutex<HashMap<&'static str, u64>>);

impl Failures {
    /// Lets an operation fail so many times from now on.
    pub(crate) fn arrange(&self, operation: &'static str, times: u64) {
        self.0.lock().unwrap().insert(operation, times);
    }

    /// How many of them are still to come.
    pub(crate) fn left(&self, operation: &'static str) -> u64 {
        self.0.lock().unwrap().get(operation).copied().unwrap_or_default()
    }

    /// Fails if it is to.
    pub(crate) fn strike(&self, operation: &'static str) -> Result<(), StoreError> {
        match self.0.lock().unwrap().get_mut(operation) {
            Some(left @ 1..) => {
                *left -= 1;
                Err(StoreErrorKind::Unavailable.into())
            }
            Some(0) | None => Ok(()),
        }
    }
}
