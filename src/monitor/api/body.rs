//! A small JSON object that was POSTed.

use bytes::Bytes;
use http::request::Parts;
use http::{StatusCode, header};
use http_body::Body;
use serde::de::DeserializeOwned;

use crate::body::{BoxError, Unreadable, read_request};
use crate::monitor::answer::Refusal;
use crate::protocol::headers;
use crate::rejection::Rejection;

/// Longest body: a token and a little JSON.
const LIMIT: usize = 16 << 10;

/// Reads it; `problem` says what it should have been.
pub(super) async fn object<T, B>(parts: &Parts, body: B, problem: &'static str) -> Result<T, Refusal>
where
    T: DeserializeOwned,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    // A browser sends no cross-origin JSON without asking first, and is not answered then.
    if !headers::has_media_type(&parts.headers, &headers::JSON) {
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send JSON, with Content-Type: application/json"));
    }
    let is_expected = parts.headers.contains_key(header::EXPECT);
    let body = read_request(body, LIMIT, is_expected).await.map_err(|why| match why {
        Unreadable::TooLong => Refusal::from(Rejection::BodyTooLarge),
        Unreadable::Broken => Refusal::from(Rejection::BodyBroken),
    })?;
    // serde alone would take an array for an object.
    let is_object = body.trim_ascii_start().starts_with(b"{");
    let read = is_object.then(|| serde_json::from_slice(&body).ok()).flatten();
    read.ok_or(Refusal::bad_request(problem))
}
