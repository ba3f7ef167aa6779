//! The listening stream of a session whose inner service offers none: it stays open, says nothing, and ends with the session.

use std::convert::Infallible;
use std::time::Duration;

use futures::{StreamExt, stream};
use http::Response;
use http_body::Frame;
use http_body_util::StreamBody;

use crate::body::ResponseBody;
use crate::protocol::sse;
use crate::stream::event_stream;

/// How often a comment proves the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A 200 with an event stream of nothing but keep-alive comments, the first at once.
pub(crate) fn response() -> Response<ResponseBody> {
    let ticks = stream::unfold(tokio::time::interval(KEEP_ALIVE), |mut ticks| async {
        ticks.tick().await;
        Some((Ok::<_, Infallible>(Frame::data(sse::KEEP_ALIVE)), ticks))
    });
    event_stream(ResponseBody::stream(StreamBody::new(ticks.boxed())))
}
