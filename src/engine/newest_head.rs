//! The head of the newest request that was admitted to a session here: a client's credentials change while its session lasts.

use std::sync::{Arc, PoisonError, RwLock};

use crate::inner::InnerHead;
use http::request::Parts;

pub(crate) struct NewestHead(RwLock<Arc<InnerHead>>);

impl NewestHead {
    pub(crate) fn new(head: InnerHead) -> Self {
        Self(RwLock::new(Arc::new(head)))
    }

    pub(crate) fn get(&self) -> Arc<InnerHead> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps an admitted request's head where it differs from what is kept; `true` if it does.
    pub(crate) fn note(&self, parts: &Parts) -> bool {
        if self.0.read().unwrap_or_else(PoisonError::into_inner).is_that_of(parts) {
            return false;
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(InnerHead::of(parts));
        true
    }
}
