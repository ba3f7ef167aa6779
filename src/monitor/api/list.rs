//! `GET /api/mcp/sessions`: the sessions, the last seen first, page by page.

use http::request::Parts;
use http::{Response, StatusCode};
use serde::Serialize;

use crate::body::ResponseBody;
use crate::event::SessionView;
use crate::monitor::answer::{Refusal, json};
use crate::monitor::feed::cursor::{parse_place, place_text};
use crate::monitor::feed::hub::Hub;
use crate::monitor::query::Query;
use crate::monitor::stats::rfc3339;
use crate::session::{SessionStatus, Timestamp, millis};
use crate::store::{Age, AgeLimits, Place, StoreError};

/// Sessions on a page, unless asked otherwise; and at most.
const PAGE: usize = 50;
const MOST: usize = 500;
/// Sessions looked at for one page: a rare one may take several, which the cursor leads through.
const SCANNED: usize = 5_000;

/// Which sessions.
struct Wanted {
    status: Option<SessionStatus>,
    age: Option<Age>,
    client: Option<String>,
    text: Option<String>,
}

/// A session as the API shows it.
#[derive(Serialize)]
pub(crate) struct Listed {
    #[serde(flatten)]
    session: SessionView,
    idle_ms: u64,
    uptime_ms: u64,
}

#[derive(Serialize)]
struct List {
    sessions: Vec<Listed>,
    /// Leads to the next page; `null` at the end.
    next_cursor: Option<String>,
    timestamp: String,
}

impl Listed {
    pub(crate) fn of(session: SessionView, now: Timestamp) -> Self {
        let (idle, uptime) = (now.since(session.last_seen), now.since(session.created_at));
        Self { session, idle_ms: millis(idle), uptime_ms: millis(uptime) }
    }
}

pub(crate) async fn respond(hub: &Hub, parts: &Parts) -> Result<Response<ResponseBody>, Refusal> {
    let query = Query::of(&parts.uri);
    let wanted = Wanted {
        status: query.word("status", "status is active or disconnected")?,
        age: query.word("age", "age is healthy, aging or stale")?,
        client: query.get("client").map(ToOwned::to_owned),
        text: query.get("q").map(ToOwned::to_owned),
    };
    let limit = query.number("limit", "limit is a number from 1 to 500")?.unwrap_or(PAGE).clamp(1, MOST);
    let from = match query.get("cursor") {
        Some(cursor) => {
            let place = parse_place(cursor);
            Some(place.ok_or(Refusal::bad_request("cursor is the next_cursor of the page before"))?)
        }
        None => None,
    };
    let now = hub.engine.now().await.map_err(Refusal::store_away)?;
    let (sessions, next) = find(hub, &wanted, from, limit, now).await.map_err(Refusal::store_away)?;
    let list = List {
        sessions: sessions.into_iter().map(|session| Listed::of(session, now)).collect(),
        next_cursor: next.as_ref().map(place_text),
        timestamp: rfc3339(now),
    };
    Ok(json(StatusCode::OK, &list))
}

/// The sessions of a page, and where the next one begins.
async fn find(
    hub: &Hub,
    wanted: &Wanted,
    mut from: Option<Place>,
    limit: usize,
    now: Timestamp,
) -> Result<(Vec<SessionView>, Option<Place>), StoreError> {
    let (mut found, mut scanned) = (Vec::new(), 0);
    // One more than wanted tells whether there is a next page.
    let batch = if wanted.takes_any() { limit + 1 } else { MOST };
    loop {
        let page = hub.engine.store.page(wanted.status, from.as_ref(), batch).await?;
        let is_last = page.len() < batch;
        for session in page {
            let place = Place { last_seen: session.last_seen, key: session.key };
            if wanted.wants(&session, now, &hub.engine.config.ages) {
                if found.len() == limit {
                    return Ok((found, from));
                }
                found.push(session);
            }
            from = Some(place);
            scanned += 1;
        }
        match (is_last, scanned >= SCANNED) {
            (true, _) => return Ok((found, None)),
            (false, true) => return Ok((found, from)),
            (false, false) => {}
        }
    }
}

impl Wanted {
    /// Whether nothing is left out of what the store gives.
    const fn takes_any(&self) -> bool {
        self.age.is_none() && self.client.is_none() && self.text.is_none()
    }

    fn wants(&self, session: &SessionView, now: Timestamp, ages: &AgeLimits) -> bool {
        let client = self.client.as_ref().is_none_or(|name| session.origin.client.name == *name);
        let text = self.text.as_ref().is_none_or(|text| session.mentions(text));
        let age = self.age.is_none_or(|wanted| wanted == ages.age(now.since(session.last_seen)));
        client && text && age
    }
}
