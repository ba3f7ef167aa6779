//! `GET /api/mcp/sessions/events?cursor=`: the feed for those who can only ask. The body is the update object that the other
//! transports push; its `to` is the next `cursor`, and with `more` there is more to ask for at once.

use std::sync::Arc;

use http::Response;
use http::request::Parts;

use crate::body::ResponseBody;
use crate::monitor::answer::{Refusal, written};
use crate::monitor::feed::cursor::Cursor;
use crate::monitor::feed::filter::Filter;
use crate::monitor::feed::hub::Hub;
use crate::monitor::feed::update::Mode;
use crate::monitor::query::Query;

pub(crate) async fn respond(hub: &Arc<Hub>, parts: &Parts) -> Result<Response<ResponseBody>, Refusal> {
    let query = Query::of(&parts.uri);
    let (cursor, filter) = (query.get("cursor").and_then(Cursor::parse), Filter::of(&query)?);
    let update = hub.poll(cursor.as_ref()).await.map_err(Refusal::store_away)?;
    let body = match filter.is_open() {
        true => update.json().clone(),
        false => update.filtered(|told| filter.wants(told, update.mode == Mode::Snapshot)).json().clone(),
    };
    Ok(written(body))
}
