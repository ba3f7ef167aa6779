//! Answers that are there at once need no event stream: if the inner service's first message is already the response, it goes
//! out as plain JSON, which every client takes and which costs neither side a stream.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::seen::Seen;
use crate::body::{ResponseBody, read_whole};
use crate::protocol::message::RequestId;
use crate::protocol::sse::Splitter;
use crate::protocol::{headers, response};
use crate::rejection::Rejection;

/// How long a response may take to count as being there at once.
const PATIENCE: Duration = Duration::from_millis(100);
/// Longest response that is taken out of its stream.
const LIMIT: usize = 4 << 20;

/// What an event stream begins with.
pub(crate) enum Beginning {
    /// The response to the call, and nothing before it but what carries nothing.
    Response(Bytes),
    /// Anything else, or nothing in time. The stream is whole.
    Stream(ResponseBody),
}

/// The response to a request, in an answer of whatever form. What else was said is dropped.
pub(crate) async fn whole(answer: Response<ResponseBody>, id: &RequestId) -> Result<Bytes, Rejection> {
    if headers::is_encoded(answer.headers()) {
        return Err(Rejection::InnerAnswerCompressed);
    }
    let is_stream = headers::has_media_type(answer.headers(), &headers::EVENT_STREAM);
    let mut body = answer.into_body();
    if !is_stream {
        let body = read_whole(body, LIMIT).await.map_err(|_| Rejection::InnerAnswerUnreadable)?;
        return response::in_body(id, body).ok_or(Rejection::InnerAnswerUnreadable);
    }
    let mut splitter = Splitter::default();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Rejection::InnerAnswerUnreadable)?;
        splitter.push(frame.data_ref().map_or(&[], |data| data));
        while let Some(event) = splitter.next_message() {
            if let Some(response) = response::in_body(id, event.data.into()) {
                return Ok(response);
            }
        }
    }
    Err(Rejection::InnerAnswerUnreadable)
}

/// Looks at how the event stream of a call begins.
pub(crate) async fn look(mut body: ResponseBody, id: &RequestId) -> Beginning {
    let deadline = Instant::now() + PATIENCE;
    let mut splitter = Splitter::default();
    let mut seen = Seen::default();
    loop {
        while let Some(event) = splitter.next_message() {
            if event.data.is_empty() {
                continue;
            }
            return match response::to(id, event.data.into()) {
                Some(response) => Beginning::Response(response),
                None => Beginning::Stream(seen.and(body)),
            };
        }
        let Ok(frame) = timeout_at(deadline, body.frame()).await else { return Beginning::Stream(seen.and(body)) };
        match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(chunk) if seen.len() + chunk.len() > LIMIT => return Beginning::Stream(seen.push(chunk).and(body)),
                Ok(chunk) => {
                    splitter.push(&chunk);
                    seen = seen.push(chunk);
                }
                Err(_) => {}
            },
            Some(Err(error)) => return Beginning::Stream(seen.and_error(error)),
            None => return Beginning::Stream(seen.and(body)),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;
    use crate::body::BoxError;

    fn body(chunks: Vec<Result<&'static str, &'static str>>) -> ResponseBody {
        let frame = |chunk: Result<&'static str, &'static str>| {
            chunk.map(|text| Frame::data(Bytes::from(text))).map_err(BoxError::from)
        };
        ResponseBody::stream(StreamBody::new(stream::iter(chunks.into_iter().map(frame))))
    }

    async fn looked_at(body: ResponseBody) -> Beginning {
        look(body, &RequestId::from_json(b"1").unwrap()).await
    }

    async fn stream_of(beginning: Beginning) -> Result<Bytes, BoxError> {
        let Beginning::Stream(body) = beginning else { panic!("a response alone") };
        Ok(body.collect().await?.to_bytes())
    }

    #[tokio::test]
    async fn a_response_that_comes_first_is_taken_out() {
        let primed = body(vec![Ok("id: 0\ndata:\n\nda"), Ok("ta: {\"id\":1,\"result\":{}}\n\n")]);
        let Beginning::Response(json) = looked_at(primed).await else { panic!("a stream") };
        assert_eq!(json, "{\"id\":1,\"result\":{}}");
    }

    #[tokio::test]
    async fn any_other_stream_stays_whole() {
        let progress = "data: {\"method\":\"notifications/progress\"}\n\n";
        let answer = "data: {\"id\":1,\"result\":{}}\n\n";
        let whole = looked_at(body(vec![Ok(":\n\n"), Ok(progress), Ok(answer)])).await;
        assert_eq!(stream_of(whole).await.unwrap(), format!(":\n\n{progress}{answer}"));
        let foreign = "data: {\"id\":\"1\",\"result\":{}}\n\n";
        let whole = looked_at(body(vec![Ok(foreign), Ok(answer)])).await;
        assert_eq!(stream_of(whole).await.unwrap(), format!("{foreign}{answer}"), "another request's comes first");
        let cut = looked_at(body(vec![Ok("id: 0\ndata:\n\n")])).await;
        assert_eq!(stream_of(cut).await.unwrap(), "id: 0\ndata:\n\n");
        let broken = looked_at(body(vec![Ok("data: {"), Err("cut")])).await;
        assert!(stream_of(broken).await.is_err());
    }

    #[tokio::test]
    async fn an_error_that_names_no_request_is_the_response() {
        let nameless = body(vec![Ok("\u{feff}data: {\"id\":null,\"error\":{\"code\":1}}\n\n")]);
        let Beginning::Response(json) = looked_at(nameless).await else { panic!("a stream") };
        assert_eq!(json, r#"{"jsonrpc":"2.0","id":1,"error":{"code":1}}"#);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_says_nothing_is_not_waited_for() {
        let silent = ResponseBody::stream(StreamBody::new(stream::pending::<Result<Frame<Bytes>, BoxError>>()));
        assert!(matches!(looked_at(silent).await, Beginning::Stream(_)));
    }
}
