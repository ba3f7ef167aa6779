//! `GET /api/mcp/sessions/{key}`: one session, and what happened to it as far as the event log goes back.

use http::{Response, StatusCode};
use serde::Serialize;

use super::list::Listed;
use crate::body::ResponseBody;
use crate::event::SessionEvent;
use crate::id::SessionKey;
use crate::monitor::answer::{Refusal, json};
use crate::monitor::feed::hub::Hub;
use crate::monitor::stats::rfc3339;
use crate::store::StoreError;

/// Events looked through for a timeline.
const SCANNED: u64 = 10_000;
/// Events read at once.
const PART: usize = 1_000;

#[derive(Serialize)]
struct Detail {
    session: Listed,
    /// The oldest first.
    timeline: Vec<SessionEvent>,
    timestamp: String,
}

pub(crate) async fn respond(hub: &Hub, key: SessionKey) -> Result<Response<ResponseBody>, Refusal> {
    let found = hub.engine.store.view(&key).await.map_err(Refusal::store_away)?;
    let session = found.ok_or_else(Refusal::no_such_session)?;
    let timeline = timeline(hub, &key).await.map_err(Refusal::store_away)?;
    let now = hub.engine.now().await.map_err(Refusal::store_away)?;
    let detail = Detail { session: Listed::of(session, now), timeline, timestamp: rfc3339(now) };
    Ok(json(StatusCode::OK, &detail))
}

async fn timeline(hub: &Hub, key: &SessionKey) -> Result<Vec<SessionEvent>, StoreError> {
    let store = &hub.engine.store;
    let part = store.event_part(key);
    let end = store.events(part, u64::MAX, 0).await?.head.offset;
    let (mut found, mut after) = (Vec::new(), end.saturating_sub(SCANNED));
    while after < end {
        let slice = store.events(part, after, PART).await?;
        let Some(last) = slice.events.last() else { break };
        after = last.offset;
        let mine = |event: &SessionEvent| event.session.as_ref().is_some_and(|session| session.key == *key);
        found.extend(slice.events.into_iter().filter(mine));
    }
    Ok(found)
}
