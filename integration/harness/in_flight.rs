//! How many answers a server waits for: none once it has noticed that its clients have left.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tower::{Service, ServiceExt};

/// Counts the answers a server waits for.
pub(crate) struct InFlight(Arc<AtomicUsize>);

impl InFlight {
    pub(crate) fn watch<S: Service<R> + Clone, R>(
        service: S,
        count: Arc<AtomicUsize>,
    ) -> impl Service<R, Response = S::Response, Error = S::Error, Future: Send> + Clone
    where
        S::Future: Send,
    {
        service.map_future(move |answer| {
            count.fetch_add(1, Ordering::SeqCst);
            let this = Self(Arc::clone(&count));
            async move {
                let _this = this;
                answer.await
            }
        })
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
