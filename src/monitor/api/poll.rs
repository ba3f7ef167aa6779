//! `GET /api/mcp/sessions/events?cursor=`: the feed for those who can only ask. The body is the update object that the other
//! transports push; its `to` is the next `cursor`, and with `more` there is more to ask for at once.

use std::sync::Arc;

use http::Response;
use http::request::Parts;

use crate::body::ResponseBody;
use crate::monitor::access::Role;
use crate::monitor::answer::{Refusal, written};
use crate::monitor::feed::cursor::Cursor;
use crate::monitor::feed::filter::Filter;
use crate::monitor::feed::hub::Hub;
use crate::monitor::query::Query;

pub(crate) async fn respond(
    hub: &Arc<Hub>,
    role: Option<Role>,
    parts: &Parts,
) -> Result<Response<ResponseBody>, Refusal> {
    let query = Query::of(&parts.uri);
    let (cursor, filter) = (query.get("cursor").and_then(Cursor::parse), Filter::of(&query)?.seen_by(role));
    let update = match filter.shows_sessions() {
        true => hub.poll(cursor.as_ref()).await,
        false => hub.poll_counts(cursor.as_ref()).await,
    };
    Ok(written(filter.apply(&update.map_err(Refusal::store_away)?).json().clone()))
}
