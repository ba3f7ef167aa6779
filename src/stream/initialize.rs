//! The inner service's answer to `initialize`, read far enough to know what it settled on, JSON and SSE alike.

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Response, StatusCode, header, response};
use http_body::Frame;
use http_body_util::{BodyExt, BodyStream, StreamBody};

use crate::body::{BoxError, ResponseBody, Unreadable, read_whole};
use crate::protocol::headers;
use crate::protocol::message;
use crate::protocol::sse::Splitter;
use crate::protocol::version::ProtocolVersion;

/// Longest answer to `initialize` that is read.
const LIMIT: usize = 4 << 20;

/// An answer to `initialize`.
pub(crate) struct Answer {
    pub(crate) parts: response::Parts,
    pub(crate) body: ResponseBody,
    /// What was settled on; `None` if the inner service refused.
    pub(crate) version: Option<ProtocolVersion>,
}

/// Reads an answer until its JSON-RPC response is known.
pub(crate) async fn read(response: Response<ResponseBody>) -> Result<Answer, Unreadable> {
    let (mut parts, body) = response.into_parts();
    if parts.status != StatusCode::OK {
        return Ok(Answer { parts, body, version: None });
    }
    let is_stream = headers::has_media_type(&parts.headers, &headers::EVENT_STREAM);
    let found = if is_stream { read_events(body).await? } else { Found::Alone(read_whole(body, LIMIT).await?) };
    let (version, body) = match found {
        Found::Alone(message) => {
            if is_stream {
                parts.headers.insert(header::CONTENT_TYPE, headers::JSON);
                parts.headers.remove(header::CONTENT_LENGTH);
            }
            (message::negotiated_version(&message), ResponseBody::whole(message))
        }
        Found::Among { response, stream } => (message::negotiated_version(&response), stream),
    };
    Ok(Answer { parts, body, version })
}

/// The JSON-RPC response in an answer.
enum Found {
    /// Nothing else was said: it goes out as plain JSON, which every client takes.
    Alone(Bytes),
    /// Other messages came first: the stream goes on as it is.
    Among { response: Vec<u8>, stream: ResponseBody },
}

/// Reads events until the response.
async fn read_events(mut body: ResponseBody) -> Result<Found, Unreadable> {
    let mut splitter = Splitter::default();
    let mut read: Vec<Bytes> = Vec::new();
    let mut length = 0;
    let mut alone = true;
    loop {
        while let Some(event) = splitter.next_message() {
            match (message::is_response(&event.data), alone) {
                (true, true) => return Ok(Found::Alone(event.data.into())),
                (true, false) => return Ok(Found::Among { response: event.data, stream: continued(read, body) }),
                (false, _) => alone &= event.data.is_empty(),
            }
        }
        let frame = body.frame().await.ok_or(Unreadable::Broken)?.map_err(|_| Unreadable::Broken)?;
        let Ok(chunk) = frame.into_data() else { continue };
        length += chunk.len();
        if length > LIMIT {
            return Err(Unreadable::TooLong);
        }
        splitter.push(&chunk);
        read.push(chunk);
    }
}

fn continued(read: Vec<Bytes>, rest: ResponseBody) -> ResponseBody {
    let read = stream::iter(read).map(|chunk| Ok::<_, BoxError>(Frame::data(chunk)));
    ResponseBody::stream(StreamBody::new(read.chain(BodyStream::new(rest))))
}
