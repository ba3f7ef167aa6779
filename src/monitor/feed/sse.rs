//! `GET /sse/sessions`: the feed as server-sent events, for those whose network has no WebSockets.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::Response;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::time::{Instant, sleep_until};

use super::Watching;
use super::cursor::Cursor;
use super::filter::Filter;
use super::hub::Seat;
use super::viewer::Viewer;
use crate::body::{BoxError, ResponseBody};
use crate::monitor::answer::Refusal;
use crate::protocol::sse;
use crate::stream::event_stream;
use crate::telemetry::metrics::Present;

/// How often a comment proves the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// When a viewer should come back whose connection breaks, or whose replica leaves.
const COME_BACK: Duration = Duration::from_secs(1);

pub(crate) async fn respond(
    watching: Watching,
    cursor: Option<Cursor>,
    filter: Filter,
) -> Result<Response<ResponseBody>, Refusal> {
    let seat = watching.be_seated()?;
    let filter = filter.seen_by(watching.role);
    let viewer = Viewer::begin(Arc::clone(&watching.hub), cursor, filter).await.map_err(Refusal::store_away)?;
    let now = Instant::now();
    let recheck_at = now + watching.pace.recheck;
    let _present = Present::viewer("sse");
    let stream = Some(Stream { watching, viewer, spoke_at: now, recheck_at, is_new: true, _present, _seat: seat });
    let frames = stream::unfold(stream, |stream| async {
        let (bytes, stream) = stream?.next().await?;
        Some((Ok::<_, BoxError>(Frame::data(bytes)), stream))
    });
    Ok(event_stream(ResponseBody::stream(StreamBody::new(Box::pin(frames)))))
}

struct Stream {
    watching: Watching,
    viewer: Viewer,
    _present: Present,
    spoke_at: Instant,
    recheck_at: Instant,
    is_new: bool,
    _seat: Seat,
}

impl Stream {
    /// What to send next, and the stream if it goes on.
    async fn next(mut self) -> Option<(Bytes, Option<Self>)> {
        if std::mem::replace(&mut self.is_new, false) {
            return Some((sse::retry(COME_BACK), Some(self)));
        }
        let leave = self.watching.hub.engine.drain.listens_end.clone();
        let keep_alive_at = self.spoke_at + KEEP_ALIVE;
        let bytes = loop {
            tokio::select! {
                biased;
                () = leave.cancelled() => return Some((sse::retry(COME_BACK), None)),
                () = sleep_until(self.recheck_at) => {
                    self.viewer.set_role(Some(self.watching.ask_again().await?));
                    self.recheck_at = Instant::now() + self.watching.pace.recheck;
                }
                // A viewer that cannot be served comes back, here or elsewhere.
                update = self.viewer.next() => break update.ok()?.sse().clone(),
                () = sleep_until(keep_alive_at) => break sse::KEEP_ALIVE,
            }
        };
        self.spoke_at = Instant::now();
        Some((bytes, Some(self)))
    }
}
