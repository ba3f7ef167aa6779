//! The bodies that cross the layer: [`RequestBody`] towards the inner service, [`ResponseBody`] towards the client.
//!
//! Both are opaque: a body is either bytes that are already here or a stream that passes through.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited, combinators::UnsyncBoxBody};
use tokio::time::timeout;

/// How much of a body is read past that is not wanted, and for how long.
const DRAINED: usize = 1 << 20;
const DRAINED_WITHIN: Duration = Duration::from_secs(5);

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
    read(&mut std::pin::pin!(body), limit).await
}

/// The same for a request's: of one that is too long the rest is [drained](drain), if that may help. A client that asks whether
/// it should send its body at all (`Expect: 100-continue`) has not begun.
pub(crate) async fn read_request<B>(body: B, limit: usize, is_expected: bool) -> Result<Bytes, Unreadable>
where
    B: Body<Data = Bytes>,
{
    let is_begun = !is_expected || body.size_hint().lower() <= limit as u64;
    let mut body = std::pin::pin!(body);
    let whole = read(&mut body, limit).await;
    if matches!(whole, Err(Unreadable::TooLong)) && is_begun {
        // Boxed, as what is rare: most bodies fit.
        Box::pin(drain(body)).await;
    }
    whole
}

/// Reads past what is not wanted. A server that answers while its client still sends, and then closes, makes the client's system
/// throw the answer away (RFC 9112 §9.6); a client that has sent everything reads it. More than [`DRAINED`] is not worth it.
pub(crate) async fn drain<B>(mut body: Pin<&mut B>)
where
    B: Body<Data = Bytes>,
{
    if body.size_hint().lower() > DRAINED as u64 {
        return;
    }
    let past = async {
        let mut length = 0;
        while length <= DRAINED
            && let Ok(Some(chunk)) = next_data(&mut body).await
        {
            length += chunk.len();
        }
    };
    // Who takes longer than that is not waited for.
    let _ = timeout(DRAINED_WITHIN, past).await;
}

async fn read<B>(body: &mut Pin<&mut B>, limit: usize) -> Result<Bytes, Unreadable>
where
    B: Body<Data = Bytes>,
{
    if body.size_hint().lower() > limit as u64 {
        return Err(Unreadable::TooLong);
    }
    let Some(first) = next_data(body).await? else { return Ok(Bytes::new()) };
    if first.len() > limit {
        return Err(Unreadable::TooLong);
    }
    let Some(second) = next_data(body).await? else { return Ok(first) };
    let mut whole = BytesMut::from(&first[..]);
    let mut next = Some(second);
    while let Some(chunk) = next {
        if whole.len() + chunk.len() > limit {
            return Err(Unreadable::TooLong);
        }
        whole.extend_from_slice(&chunk);
        next = next_data(body).await?;
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
    use futures::{StreamExt, stream};
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

    /// How many bytes of a body, in chunks of 64 KiB, are taken before it is refused for its length.
    async fn taken(chunks: usize, limit: usize, is_expected: bool, tells_length: bool) -> usize {
        let left = Arc::new(std::sync::atomic::AtomicUsize::new(chunks));
        let counted = Arc::clone(&left);
        let frames = stream::iter(0..chunks).map(move |_| {
            counted.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, BoxError>(Frame::data(Bytes::from(vec![b'x'; 64 << 10])))
        });
        let body = StreamBody::new(frames);
        let read = if tells_length {
            read_request(Sized(body, (chunks * (64 << 10)) as u64), limit, is_expected).await
        } else {
            read_request(body, limit, is_expected).await
        };
        assert!(matches!(read, Err(Unreadable::TooLong)));
        (chunks - left.load(Ordering::SeqCst)) * (64 << 10)
    }

    /// A body that tells its length, as one with `Content-Length` does.
    struct Sized<B>(B, u64);

    impl<B: Body + Unpin> Body for Sized<B> {
        type Data = B::Data;
        type Error = B::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
            Pin::new(&mut self.0).poll_frame(cx)
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.1)
        }
    }

    #[tokio::test]
    async fn what_is_too_long_is_drained_up_to_a_megabyte() {
        const MIB: usize = 1 << 20;
        for tells_length in [false, true] {
            assert_eq!(taken(16, MIB / 2, false, tells_length).await, MIB, "to its end");
            assert_eq!(taken(16, 0, false, tells_length).await, MIB);
        }
        let endless = taken(1000, MIB / 2, false, false).await;
        assert!((MIB..2 * MIB).contains(&endless), "{endless}");
        assert_eq!(taken(1000, MIB / 2, false, true).await, 0, "draining a part of it helps nobody");
        assert_eq!(taken(16, MIB / 2, true, true).await, 0, "it asked first");
        assert_eq!(taken(16, MIB / 2, true, false).await, MIB, "it was told to go on");
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
