//! `GET /api/mcp/sessions/health`: how the sessions fare, in the shape its consumers have always known.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use sha2::{Digest, Sha256};

use crate::body::ResponseBody;
use crate::monitor::answer::{Refusal, json};
use crate::monitor::feed::hub::Hub;
use crate::monitor::stats::Health;

/// Sessions of recent activity.
const RECENT: usize = 20;

pub(crate) async fn respond(hub: &Hub, parts: &Parts) -> Result<Response<ResponseBody>, Refusal> {
    let store = &hub.engine.store;
    let vitals = store.vitals(&hub.ages).await.map_err(Refusal::store_away)?;
    let recent = store.page(None, None, RECENT).await.map_err(Refusal::store_away)?;
    let mut health = Health::of(&vitals, &recent);
    let tag = entity_tag(&health);
    let mut response = match asks_for(parts, &tag) {
        true => json(StatusCode::OK, &health),
        false => {
            health.recent_activity.clear();
            let mut unchanged = Response::new(ResponseBody::whole(""));
            *unchanged.status_mut() = StatusCode::NOT_MODIFIED;
            unchanged
        }
    };
    response.headers_mut().insert(header::ETAG, tag);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// Names everything but the time it was asked for.
fn entity_tag(health: &Health) -> HeaderValue {
    let timeless = Health { timestamp: String::new(), ..health.clone() };
    let text = serde_json::to_vec(&timeless).expect("counts are plain data");
    let digest = URL_SAFE_NO_PAD.encode(&Sha256::digest(text)[..12]);
    HeaderValue::from_str(&format!("\"{digest}\"")).expect("base64url is visible ASCII")
}

/// Whether the caller does not have it already.
fn asks_for(parts: &Parts, tag: &HeaderValue) -> bool {
    let known = parts.headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = known.flat_map(|value| value.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
    !tags.any(|known| known == "*" || known.as_bytes() == tag.as_bytes())
}
