//! A look at a short body before it is passed on.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::seen::Seen;
use crate::body::ResponseBody;

/// Reads a body of at most `limit` bytes that comes within `patience`. The second is the body to pass on: the same, whether
/// it could be read or not.
pub(crate) async fn peek(mut body: ResponseBody, limit: usize, patience: Duration) -> (Option<Bytes>, ResponseBody) {
    if body.size_hint().lower() > limit as u64 {
        return (None, body);
    }
    let deadline = Instant::now() + patience;
    let (mut seen, mut read) = (Seen::default(), BytesMut::new());
    loop {
        let Ok(frame) = timeout_at(deadline, body.frame()).await else { return (None, seen.and(body)) };
        match frame {
            Some(Ok(frame)) => {
                let Ok(chunk) = frame.into_data() else { continue };
                read.extend_from_slice(&chunk);
                seen = seen.push(chunk);
                if seen.len() > limit {
                    return (None, seen.and(body));
                }
            }
            Some(Err(error)) => return (None, seen.and_error(error)),
            None => {
                let read = read.freeze();
                return (Some(read.clone()), ResponseBody::whole(read));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt, stream};
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;
    use crate::body::BoxError;

    const PATIENCE: Duration = Duration::from_secs(1);

    fn chunks(texts: &'static [&'static str]) -> impl futures::Stream<Item = Result<Frame<Bytes>, BoxError>> + Send {
        stream::iter(texts.iter().map(|text| Ok(Frame::data(Bytes::from(*text)))))
    }

    async fn text(body: ResponseBody) -> Bytes {
        body.collect().await.unwrap().to_bytes()
    }

    #[tokio::test]
    async fn a_short_body_is_read_and_passed_on() {
        let body = ResponseBody::stream(StreamBody::new(chunks(&["Session ", "not found"])));
        let (read, body) = peek(body, 64, PATIENCE).await;
        assert_eq!(read.unwrap(), "Session not found");
        assert_eq!(text(body).await, "Session not found");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_too_long_or_too_slow_is_passed_on_whole() {
        let long = ResponseBody::stream(StreamBody::new(chunks(&["Session ", "not found"])));
        let (read, body) = peek(long, 10, PATIENCE).await;
        assert_eq!((read, text(body).await), (None, Bytes::from("Session not found")));
        let late = stream::once(async {
            tokio::time::sleep(PATIENCE * 2).await;
            Ok::<_, BoxError>(Frame::data(Bytes::from("!")))
        });
        let slow = ResponseBody::stream(StreamBody::new(chunks(&["late"]).chain(late)));
        let (read, body) = peek(slow, 10, PATIENCE).await;
        assert_eq!((read, text(body).await), (None, Bytes::from("late!")));
    }
}
