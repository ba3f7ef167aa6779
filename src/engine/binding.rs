//! The tie between our session and the inner service's own on this replica.

use std::sync::{Mutex, PoisonError};

use futures::future::BoxFuture;
use http::HeaderValue;

/// Closes the inner service's session. Runs at most once.
pub(crate) type Close = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

/// What the inner service on this replica calls the session. Dropping it closes the inner session, so that a handshake that
/// ends half-way, by an error or a panic, leaves none behind.
pub(crate) struct Binding {
    inner_id: Option<HeaderValue>,
    close: Mutex<Option<Close>>,
}

impl Binding {
    /// The inner service minted an id, and wants to be told when it is no longer used.
    pub(crate) fn to_session(inner_id: HeaderValue, close: Close) -> Self {
        Self { inner_id: Some(inner_id), close: Mutex::new(Some(close)) }
    }

    /// The inner service knows no sessions.
    pub(crate) fn sessionless() -> Self {
        Self { inner_id: None, close: Mutex::new(None) }
    }

    pub(crate) fn inner_id(&self) -> Option<&HeaderValue> {
        self.inner_id.as_ref()
    }

    /// Closes the inner session in the background, once.
    pub(crate) fn close(&self) {
        let close = self.close.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(close), Ok(runtime)) = (close, tokio::runtime::Handle::try_current()) {
            runtime.spawn(close());
        }
    }
}

impl Drop for Binding {
    fn drop(&mut self) {
        self.close();
    }
}
