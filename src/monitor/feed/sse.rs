//! `GET /sse/sessions`: the feed as server-sent events, for those whose network has no WebSockets.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::Response;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::time::{Instant, sleep_until};

use super::cursor::Cursor;
use super::filter::Filter;
use super::hub::Hub;
use super::viewer::Viewer;
use crate::body::{BoxError, ResponseBody};
use crate::engine::Engine;
use crate::protocol::sse;
use crate::store::StoreError;
use crate::stream::event_stream;
use crate::telemetry::metrics::Present;

/// How often a comment proves the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// When a viewer should come back whose connection breaks, or whose replica leaves.
const COME_BACK: Duration = Duration::from_secs(1);

pub(crate) async fn respond(
    hub: Arc<Hub>,
    cursor: Option<Cursor>,
    filter: Filter,
) -> Result<Response<ResponseBody>, StoreError> {
    let engine = Arc::clone(&hub.engine);
    let viewer = Viewer::begin(hub, cursor, filter).await?;
    let stream =
        Some(Stream { engine, viewer, _present: Present::viewer("sse"), spoke_at: Instant::now(), is_new: true });
    let frames = stream::unfold(stream, |stream| async {
        let (bytes, stream) = stream?.next().await?;
        Some((Ok::<_, BoxError>(Frame::data(bytes)), stream))
    });
    Ok(event_stream(ResponseBody::stream(StreamBody::new(Box::pin(frames)))))
}

struct Stream {
    engine: Arc<Engine>,
    viewer: Viewer,
    _present: Present,
    spoke_at: Instant,
    is_new: bool,
}

impl Stream {
    /// What to send next, and the stream if it goes on.
    async fn next(mut self) -> Option<(Bytes, Option<Self>)> {
        if std::mem::replace(&mut self.is_new, false) {
            return Some((sse::retry(COME_BACK), Some(self)));
        }
        let leave = self.engine.drain.listens_end.clone();
        let keep_alive_at = self.spoke_at + KEEP_ALIVE;
        let bytes = tokio::select! {
            biased;
            () = leave.cancelled() => return Some((sse::retry(COME_BACK), None)),
            // A viewer that cannot be served comes back, here or elsewhere.
            update = self.viewer.next() => update.ok()?.sse().clone(),
            () = sleep_until(keep_alive_at) => sse::KEEP_ALIVE,
        };
        self.spoke_at = Instant::now();
        Some((bytes, Some(self)))
    }
}
