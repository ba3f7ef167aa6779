//! The wrapped service as the layer uses it: the readied clone takes the first call, later ones wait their own turn.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use futures::future::{BoxFuture, Either};
use http::{Request, Response};
use http_body::Body;
use tower::{Service, ServiceExt};

use crate::body::{BoxError, RequestBody, ResponseBody};
use crate::rejection::Rejection;

/// Any service the layer can wrap. Implemented for every fitting [`Service`]; there is nothing to implement by hand.
pub trait InnerService: Clone + Send + Sync + 'static {
    /// The service's own error, passed through unchanged.
    type Failure: Send + 'static;

    /// Calls a service that is ready.
    #[doc(hidden)]
    fn call_ready(
        &mut self,
        request: Request<RequestBody>,
    ) -> impl Future<Output = Result<Response<ResponseBody>, Self::Failure>> + Send + 'static;

    /// Waits until the service is ready, then calls it.
    #[doc(hidden)]
    fn call_when_ready(
        self,
        request: Request<RequestBody>,
    ) -> impl Future<Output = Result<Response<ResponseBody>, Self::Failure>> + Send + 'static;
}

impl<S, R> InnerService for S
where
    S: Service<Request<RequestBody>, Response = Response<R>> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Failure = S::Error;

    fn call_ready(
        &mut self,
        request: Request<RequestBody>,
    ) -> impl Future<Output = Result<Response<ResponseBody>, S::Error>> + Send + 'static {
        let answer = self.call(request);
        async move { Ok(answer.await?.map(ResponseBody::stream)) }
    }

    async fn call_when_ready(self, request: Request<RequestBody>) -> Result<Response<ResponseBody>, S::Error> {
        Ok(self.oneshot(request).await?.map(ResponseBody::stream))
    }
}

/// The wrapped service on behalf of one request.
pub(crate) struct Inner<S> {
    /// Made ready by `poll_ready`; takes the first call.
    ready: Option<S>,
    /// Cloned for later calls.
    template: Arc<S>,
}

impl<S: InnerService> Inner<S> {
    pub(crate) fn new(ready: Option<S>, template: Arc<S>) -> Self {
        Self { ready, template }
    }

    /// Calls the service; the first time at once, later after waiting for it to be ready.
    pub(crate) async fn call(&mut self, request: Request<RequestBody>) -> Result<Response<ResponseBody>, S::Failure> {
        match self.ready.take() {
            Some(mut ready) => ready.call_ready(request).await,
            None => Box::pin(S::clone(&self.template).call_when_ready(request)).await,
        }
    }

    /// The same service on behalf of another request.
    pub(crate) fn again(&self) -> Self {
        Self::new(None, Arc::clone(&self.template))
    }

    /// The same as a future of its own, for a task that goes on when nobody waits for it any more.
    pub(crate) fn call_apart(
        &mut self,
        request: Request<RequestBody>,
    ) -> impl Future<Output = Result<Response<ResponseBody>, S::Failure>> + Send + 'static + use<S> {
        match self.ready.take() {
            Some(mut ready) => Either::Left(async move { ready.call_ready(request).await }),
            None => Either::Right(S::clone(&self.template).call_when_ready(request)),
        }
    }

    /// Gives up readiness. Called before waiting for another request that may need it: a service that admits one request at
    /// a time must not be held by one that waits.
    pub(crate) fn release(&mut self) {
        self.ready = None;
    }

    /// Waits for something other than the service, giving up readiness unless it is there at once.
    pub(crate) async fn aside<T>(&mut self, mut other: Pin<&mut impl Future<Output = T>>) -> T {
        if let Poll::Ready(value) = futures::poll!(&mut other) {
            return value;
        }
        self.release();
        other.await
    }

    /// A way to the service that outlasts this request.
    pub(crate) fn later(&self) -> Ask {
        let template = Arc::clone(&self.template);
        Arc::new(move |request| {
            let service = S::clone(&template);
            Box::pin(async move { service.call_when_ready(request).await.ok() })
        })
    }
}

/// Why a request got no answer of the inner service's.
pub(crate) enum Failure<E> {
    /// The layer refuses.
    Refused(Rejection),
    /// The inner service answered something else first, which is for the client to see.
    Answered(Box<Response<ResponseBody>>),
    /// The inner service failed.
    Inner(E),
}

impl<E> From<Rejection> for Failure<E> {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(rejection)
    }
}

/// Asks the inner service on nobody's behalf; `None` if it failed.
pub(crate) type Ask =
    Arc<dyn Fn(Request<RequestBody>) -> BoxFuture<'static, Option<Response<ResponseBody>>> + Send + Sync>;
