//! A modern call whose client may leave: it ends then, but for an `initialize`, which is carried to the head of its answer. The
//! inner service may have minted a session by then, which nobody would ever close.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::overhear::MayInitialize;

/// How long an `initialize` may take whose client has left.
const UNATTENDED: Duration = Duration::from_secs(30);

/// Runs in place while it is polled. Dropped unfinished it goes on if it may initialize, and `settle` is given what came of it.
pub(super) struct Carried<T: Send + 'static> {
    call: Option<BoxFuture<'static, T>>,
    may_initialize: MayInitialize,
    settle: Option<Box<dyn FnOnce(T) -> BoxFuture<'static, ()> + Send>>,
}

impl<T: Send + 'static> Carried<T> {
    pub(super) fn new(
        call: BoxFuture<'static, T>,
        may_initialize: MayInitialize,
        settle: impl FnOnce(T) -> BoxFuture<'static, ()> + Send + 'static,
    ) -> Self {
        Self { call: Some(call), may_initialize, settle: Some(Box::new(settle)) }
    }
}

impl<T: Send + 'static> Future for Carried<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let call = self.call.as_mut().expect("a finished future is not polled again");
        let answered = ready!(call.as_mut().poll(cx));
        self.call = None;
        Poll::Ready(answered)
    }
}

impl<T: Send + 'static> Drop for Carried<T> {
    fn drop(&mut self) {
        let (Some(call), Some(settle), true) = (self.call.take(), self.settle.take(), self.may_initialize.get()) else {
            return;
        };
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                if let Ok(answered) = timeout(UNATTENDED, call).await {
                    settle(answered).await;
                }
            });
        }
    }
}
