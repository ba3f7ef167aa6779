//! The bodies that cross the layer: [`RequestBody`] towards the inner service, [`ResponseBody`] towards the client.
//!
//! Both are opaque: a body is either bytes that are already here or a stream that passes through.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited, combinators::UnsyncBoxBody};

/// Any error, boxed.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The body of a request as the inner service receives it. Implements [`http_body::Body`].
#[derive(Debug)]
pub struct RequestBody(Repr);

/// The body of an answer as the client receives it. Implements [`http_body::Body`].
#[derive(Debug)]
pub struct ResponseBody(Repr);

#[derive(Debug)]
enum Repr {
    Whole(Full<Bytes>),
    Stream(UnsyncBoxBody<Bytes, BoxError>),
}

impl RequestBody {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self(Repr::Whole(Full::new(bytes)))
    }

    /// Passes a body through, failing it once it is longer than `limit`; the flag tells that this happened.
    pub(crate) fn limited<B>(body: B, limit: usize) -> (Self, Exceeded)
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let exceeded = Exceeded::default();
        let flag = exceeded.clone();
        let limited = Limited::new(body, limit).map_err(move |error| {
            if error.is::<LengthLimitError>() {
                flag.0.store(true, Ordering::Release);
            }
            error
        });
        (Self(Repr::Stream(limited.boxed_unsync())), exceeded)
    }
}

impl ResponseBody {
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self(Repr::Whole(Full::new(bytes.into())))
    }

    pub(crate) fn stream<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Repr::Stream(body.map_err(Into::into).boxed_unsync()))
    }
}

impl Repr {
    /// A panic of the wrapped body becomes an error of this one, so that it costs one answer and not a whole connection task.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self {
            Self::Whole(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::Stream(body) => catch_unwind(AssertUnwindSafe(|| Pin::new(body).poll_frame(cx)))
                .unwrap_or_else(|_| Poll::Ready(Some(Err("the service panicked while it wrote its body".into())))),
        }
    }

    fn is_end(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Stream(body) => body.is_end_stream(),
        }
    }

    fn hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Stream(body) => body.size_hint(),
        }
    }
}

macro_rules! forward_body {
    ($name:ident) => {
        impl Body for $name {
            type Data = Bytes;
            type Error = BoxError;

            fn poll_frame(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
                self.0.poll(cx)
            }

            fn is_end_stream(&self) -> bool {
                self.0.is_end()
            }

            fn size_hint(&self) -> SizeHint {
                self.0.hint()
            }
        }
    };
}

forward_body!(RequestBody);
forward_body!(ResponseBody);

/// Set once a passing body was longer than allowed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exceeded(Arc<AtomicBool>);

impl Exceeded {
    pub(crate) fn happened(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Why a body could not be read whole.
#[derive(Debug)]
pub(crate) enum Unreadable {
    TooLong,
    Broken,
}

/// Reads a body whole, counting while it streams: no more than `limit` bytes are ever held.
pub(crate) async fn read_whole<B>(body: B, limit: usize) -> Result<Bytes, Unreadable>
where
    B: Body<Data = Bytes>,
{
    if body.size_hint().lower() > limit as u64 {
        return Err(Unreadable::TooLong);
    }
    let mut body = std::pin::pin!(body);
    let Some(first) = next_data(&mut body).await? else { return Ok(Bytes::new()) };
    if first.len() > limit {
        return Err(Unreadable::TooLong);
    }
    let Some(second) = next_data(&mut body).await? else { return Ok(first) };
    let mut whole = BytesMut::from(&first[..]);
    let mut next = Some(second);
    while let Some(chunk) = next {
        if whole.len() + chunk.len() > limit {
            return Err(Unreadable::TooLong);
        }
        whole.extend_from_slice(&chunk);
        next = next_data(&mut body).await?;
    }
    Ok(whole.freeze())
}

async fn next_data<B>(body: &mut Pin<&mut B>) -> Result<Option<Bytes>, Unreadable>
where
    B: Body<Data = Bytes>,
{
    while let Some(frame) = body.as_mut().frame().await {
        if let Ok(data) = frame.map_err(|_| Unreadable::Broken)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;
    use http_body_util::StreamBody;

    fn chunks(sizes: &'static [usize]) -> impl Body<Data = Bytes, Error = BoxError> + Send + 'static {
        let frame = |size: &usize| Ok(Frame::data(Bytes::from(vec![b'x'; *size])));
        StreamBody::new(stream::iter(sizes.iter().map(frame)))
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit_and_no_further() {
        assert_eq!(read_whole(chunks(&[3, 0, 4]), 7).await.unwrap().len(), 7);
        assert!(matches!(read_whole(chunks(&[3, 5]), 7).await, Err(Unreadable::TooLong)));
        assert!(matches!(read_whole(chunks(&[8]), 7).await, Err(Unreadable::TooLong)));
        assert!(matches!(read_whole(Full::new(Bytes::from("12345678")), 7).await, Err(Unreadable::TooLong)));
    }

    #[tokio::test]
    async fn a_passing_body_fails_past_its_limit_and_says_so() {
        let (body, exceeded) = RequestBody::limited(chunks(&[3, 5]), 7);
        assert!(body.collect().await.is_err());
        assert!(exceeded.happened());
        let (body, exceeded) = RequestBody::limited(chunks(&[3, 4]), 7);
        assert_eq!(body.collect().await.unwrap().to_bytes().len(), 7);
        assert!(!exceeded.happened());
    }
}
