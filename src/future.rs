//! [`ResponseFuture`]: the answer of a [`SessionService`](crate::SessionService) on its way.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;

use crate::body::ResponseBody;

type Answer<E> = Pin<Box<dyn Future<Output = Result<Response<ResponseBody>, E>> + Send>>;

/// The future of a [`SessionService`](crate::SessionService).
///
/// Dropping it cancels a modern request. A legacy call that has reached the inner service goes on.
pub struct ResponseFuture<E>(Answer<E>);

impl<E> ResponseFuture<E> {
    pub(crate) fn new(answer: impl Future<Output = Result<Response<ResponseBody>, E>> + Send + 'static) -> Self {
        Self(Box::pin(answer))
    }
}

impl<E> Future for ResponseFuture<E> {
    type Output = Result<Response<ResponseBody>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<E> fmt::Debug for ResponseFuture<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
