//! The inner service's answer to `initialize`, read far enough to know what it settled on, JSON and SSE alike.

use bytes::Bytes;
use http::{Response, StatusCode, response};
use http_body_util::BodyExt;

use super::seen::Seen;
use crate::body::{ResponseBody, Unreadable, read_whole};
use crate::protocol::headers;
use crate::protocol::sse::Splitter;
use crate::protocol::version::ProtocolVersion;
use crate::protocol::{introduction, message};

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
                headers::make_json(&mut parts.headers);
            }
            (introduction::negotiated_version(&message), ResponseBody::whole(message))
        }
        Found::Among { response, stream } => (introduction::negotiated_version(&response), stream),
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
    let mut seen = Seen::default();
    let mut alone = true;
    loop {
        while let Some(event) = splitter.next_message() {
            match (message::is_response(&event.data), alone) {
                (true, true) => return Ok(Found::Alone(event.data.into())),
                (true, false) => return Ok(Found::Among { response: event.data, stream: seen.and(body) }),
                (false, _) => alone &= event.data.is_empty(),
            }
        }
        let frame = body.frame().await.ok_or(Unreadable::Broken)?.map_err(|_| Unreadable::Broken)?;
        let Ok(chunk) = frame.into_data() else { continue };
        splitter.push(&chunk);
        seen = seen.push(chunk);
        if seen.len() > LIMIT {
            return Err(Unreadable::TooLong);
        }
    }
}
