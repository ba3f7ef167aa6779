//! The head of the newest request that was admitted to a session here: a client's credentials change while its session lasts.

use std::sync::{Arc, PoisonError, RwLock};

use http::request::Parts;
use tokio::sync::Notify;

use crate::inner::InnerHead;

pub(crate) struct NewestHead {
    head: RwLock<Arc<InnerHead>>,
    changed: Notify,
}

impl NewestHead {
    pub(crate) fn new(head: InnerHead) -> Self {
        Self { head: RwLock::new(Arc::new(head)), changed: Notify::new() }
    }

    pub(crate) fn get(&self) -> Arc<InnerHead> {
        Arc::clone(&self.head.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps an admitted request's head where it differs from what is kept; `true` if it does.
    pub(crate) fn note(&self, parts: &Parts) -> bool {
        if self.head.read().unwrap_or_else(PoisonError::into_inner).is_that_of(&parts.headers) {
            return false;
        }
        *self.head.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(InnerHead::of(parts));
        self.changed.notify_waiters();
        true
    }

    /// Waits for the next head that differs. What changed before this was called does not count.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}
