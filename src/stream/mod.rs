//! Bodies of the inner service on their way to the client.

pub(crate) mod cursor;
pub(crate) mod early;
#[cfg(feature = "reconnect")]
pub(crate) mod edit;
pub(crate) mod first;
pub(crate) mod initialize;
pub(crate) mod peek;
pub(crate) mod quiet;
mod seen;

use http::{HeaderMap, HeaderName, HeaderValue, Response, header};

use crate::body::ResponseBody;
use crate::protocol::headers;

/// An event stream of the layer's own.
pub(crate) fn event_stream(body: ResponseBody) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, headers::EVENT_STREAM);
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    pass_at_once(fields);
    response
}

/// Tells proxies (nginx and those that follow it) to pass on each event as it comes: a stream that waits in a buffer is none.
pub(crate) fn pass_at_once(headers: &mut HeaderMap) {
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
}
