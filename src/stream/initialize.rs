//! The inner service's answer to `initialize`, read far enough to know what it settled on, JSON and SSE alike.
//!
//! An answer is a refusal, or it opens a session, or it is none: what says "200" and cannot be read is not passed on, for its
//! client would go on without a session.

use bytes::{Bytes, BytesMut};
use http::{Response, StatusCode, header, response};
use http_body_util::BodyExt;

use crate::body::{ResponseBody, read_whole};
use crate::protocol::introduction::Accepted;
use crate::protocol::message::{self, RequestId};
use crate::protocol::response::in_body;
use crate::protocol::sse::{self, Splitter};
use crate::protocol::{headers, rewrite};
use crate::rejection::Rejection;
use crate::stream::pass_at_once;

/// Longest answer to `initialize` that is read.
const LIMIT: usize = 4 << 20;

/// An answer to `initialize`.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) parts: response::Parts,
    pub(crate) body: ResponseBody,
    /// What was settled on; `None` if the inner service refused.
    pub(crate) accepted: Option<Accepted>,
}

/// The form in which a client takes the answer to its `initialize`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Plain JSON, unless there is more to say.
    Json,
    /// An event stream.
    Stream,
}

/// Reads an answer until the JSON-RPC response to this `initialize` is known.
///
/// # Errors
///
/// If the inner service seems to accept and says nothing that can be read.
pub(crate) async fn read(response: Response<ResponseBody>, initialize: &[u8], form: Form) -> Result<Answer, Rejection> {
    let (mut parts, body) = response.into_parts();
    if !parts.status.is_success() {
        return Ok(Answer { parts, body, accepted: None });
    }
    if headers::is_encoded(&parts.headers) {
        return Err(Rejection::InnerAnswerCompressed);
    }
    let id = rewrite::value(initialize, rewrite::ID).and_then(|id| RequestId::from_json(id.get().as_bytes()));
    let id = id.ok_or(Rejection::InnerAnswerUnreadable)?;
    let found = match headers::has_media_type(&parts.headers, &headers::EVENT_STREAM) {
        true => read_events(body, &id).await?,
        false => read_json(body, &id).await?,
    };
    let accepted = Accepted::read(&found.response);
    if accepted.is_none() && message::is_result(&found.response) {
        tracing::warn!("the inner service's answer to initialize names no protocol version");
        return Err(Rejection::InnerAnswerUnreadable);
    }
    parts.status = StatusCode::OK;
    let body = match (form, found.said_before.is_empty()) {
        (Form::Json, true) => {
            headers::make_json(&mut parts.headers);
            ResponseBody::whole(found.response)
        }
        (Form::Json, false) | (Form::Stream, _) => {
            parts.headers.remove(header::CONTENT_LENGTH);
            parts.headers.insert(header::CONTENT_TYPE, headers::EVENT_STREAM);
            pass_at_once(&mut parts.headers);
            ResponseBody::whole([found.said_before, sse::message(&found.response)].concat())
        }
    };
    Ok(Answer { parts, body, accepted })
}

/// The JSON-RPC response in an answer.
struct Found {
    response: Bytes,
    /// The events before it. Where there are none it goes out as plain JSON, which nearly every client takes.
    said_before: Bytes,
}

async fn read_json(body: ResponseBody, id: &RequestId) -> Result<Found, Rejection> {
    let body = read_whole(body, LIMIT).await.map_err(|_| Rejection::InnerAnswerUnreadable)?;
    let response = in_body(id, body).ok_or_else(|| {
        tracing::warn!("the inner service's answer to initialize is not the JSON-RPC response to it");
        Rejection::InnerAnswerUnreadable
    })?;
    Ok(Found { response, said_before: Bytes::new() })
}

/// Reads events until the response. Responses to anything else are dropped.
async fn read_events(mut body: ResponseBody, id: &RequestId) -> Result<Found, Rejection> {
    let mut splitter = Splitter::default();
    let mut before = BytesMut::new();
    let mut length = 0;
    loop {
        while let Some(event) = splitter.next_message() {
            if event.data.is_empty() {
                continue;
            }
            if let Some(response) = in_body(id, Bytes::copy_from_slice(&event.data)) {
                return Ok(Found { response, said_before: before.freeze() });
            }
            match message::kind(&event.data) {
                Some(message::Kind::Response(_)) => tracing::warn!("the inner service answered what was not asked"),
                _ => before.extend_from_slice(&event.raw),
            }
        }
        let frame = body.frame().await.ok_or(Rejection::InnerAnswerUnreadable)?;
        let Ok(chunk) = frame.map_err(|_| Rejection::InnerAnswerUnreadable)?.into_data() else { continue };
        splitter.push(&chunk);
        length += chunk.len();
        if length > LIMIT {
            return Err(Rejection::InnerAnswerUnreadable);
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::protocol::version::ProtocolVersion;

    const INITIALIZE: &[u8] = br#"{"jsonrpc":"2.0","id":0,"method":"initialize"}"#;
    const OLD: &str = r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25"}}"#;

    async fn answered(status: u16, media: &'static str, body: &str) -> Result<Answer, Rejection> {
        let mut response = Response::new(ResponseBody::whole(body.to_owned()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
        read(response, INITIALIZE, Form::Json).await
    }

    /// The version, the media type and the body of what goes to the client.
    async fn passed(status: u16, media: &'static str, body: &str) -> (Option<ProtocolVersion>, String, String) {
        let answer = answered(status, media, body).await.unwrap_or_else(|refused| panic!("{refused:?}: {body}"));
        let media = answer.parts.headers[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        let body = answer.body.collect().await.unwrap().to_bytes();
        (answer.accepted.map(|accepted| accepted.protocol_version), media, String::from_utf8(body.into()).unwrap())
    }

    #[tokio::test]
    async fn what_can_be_read_opens_a_session_in_whatever_form() {
        let (json, stream) = ("application/json", "text/event-stream");
        let alone = (Some(ProtocolVersion::V2025_11_25), json.to_owned(), OLD.to_owned());
        assert_eq!(passed(200, "application/json; charset=utf-8", OLD).await, alone);
        assert_eq!(passed(201, "text/plain", &format!("\u{feff}{OLD}")).await, alone);
        assert_eq!(passed(200, json, &format!("[{OLD}]")).await, alone);
        assert_eq!(passed(200, stream, &format!("\u{feff}id: 1\ndata:\n\ndata: {OLD}\n\n")).await, alone);
        let foreign = r#"{"id":99,"result":{"protocolVersion":"2025-03-26"}}"#;
        assert_eq!(passed(200, stream, &format!("data: {foreign}\n\ndata: {OLD}\n\n")).await, alone);
        let log = r#"data: {"method":"notifications/message"}"#;
        let (version, media, body) = passed(200, stream, &format!("{log}\n\ndata: {foreign}\n\ndata: {OLD}\n\n")).await;
        assert_eq!((version, &*media), (alone.0, stream));
        assert_eq!(body, format!("{log}\n\ndata: {OLD}\n\n"));
    }

    #[tokio::test]
    async fn a_client_that_takes_streams_alone_gets_one() {
        let pretty = OLD.replace(",", ",\n");
        for (media, body) in [("application/json", pretty), ("text/event-stream", format!("data: {OLD}\n\n"))] {
            let mut response = Response::new(ResponseBody::whole(body));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
            let answer = read(response, INITIALIZE, Form::Stream).await.unwrap();
            assert_eq!(answer.accepted.unwrap().protocol_version, ProtocolVersion::V2025_11_25);
            assert_eq!(answer.parts.headers[header::CONTENT_TYPE], "text/event-stream");
            assert_eq!(answer.parts.headers["x-accel-buffering"], "no");
            let mut splitter = Splitter::default();
            splitter.push(&answer.body.collect().await.unwrap().to_bytes());
            let event = splitter.next_message().unwrap();
            assert_eq!(event.data.iter().filter(|byte| **byte != b'\n').copied().collect::<Vec<_>>(), OLD.as_bytes());
            assert!(splitter.next_message().is_none());
        }
    }

    #[tokio::test]
    async fn a_refusal_goes_to_the_client_as_it_is() {
        let error = r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32602,"message":"no"}}"#;
        let nameless = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32602,"message":"no"}}"#;
        for (status, body, told) in [(200, error, error), (200, nameless, error), (400, "no", "no"), (302, "", "")] {
            let (version, _, passed) = passed(status, "application/json", body).await;
            assert_eq!((version, &*passed), (None, told));
        }
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_no_answer() {
        for (status, media, body) in [
            (200, "text/html", "<html>"),
            (200, "application/json", ""),
            (200, "application/json", "{}"),
            (202, "text/plain", ""),
            (204, "text/plain", ""),
            (200, "application/json", r#"{"id":0,"result":{}}"#),
            (200, "application/json", r#"{"id":0,"result":null}"#),
            (200, "application/json", r#"{"id":0,"result":{"protocolVersion":"latest"}}"#),
            (200, "application/json", r#"{"id":1,"result":{"protocolVersion":"2025-11-25"}}"#),
            (200, "application/json", r#"{"id":0,"method":"ping"}"#),
            (200, "text/event-stream", "data: {\"id\":1,\"result\":{}}\n\n"),
            (200, "text/event-stream", ""),
        ] {
            let refused = answered(status, media, body).await.expect_err(body);
            assert_eq!(refused, Rejection::InnerAnswerUnreadable, "{body}");
        }
    }

    #[tokio::test]
    async fn a_compressed_answer_is_refused_for_what_it_is() {
        for media in [headers::JSON, headers::EVENT_STREAM] {
            let mut response = Response::new(ResponseBody::whole("\x1f..."));
            response.headers_mut().insert(header::CONTENT_TYPE, media);
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            assert_eq!(read(response, INITIALIZE, Form::Json).await.unwrap_err(), Rejection::InnerAnswerCompressed);
        }
    }
}
