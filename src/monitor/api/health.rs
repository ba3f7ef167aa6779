//! `GET /api/mcp/sessions/health`: how the sessions fare, in the shape its consumers have always known.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::body::ResponseBody;
use crate::monitor::access::Grant;
use crate::monitor::answer::{Refusal, asks_for, json};
use crate::monitor::feed::hub::Hub;
use crate::monitor::stats::Health;
use crate::session::millis;

/// Sessions of recent activity.
const RECENT: usize = 20;

/// And what the asker may do.
#[derive(Clone, Serialize)]
struct Told {
    #[serde(flatten)]
    health: Health,
    age_limits: Limits,
    access: Grant,
}

/// When a session counts as what.
#[derive(Clone, Serialize)]
struct Limits {
    healthy_ms: u64,
    stale_ms: u64,
}

pub(crate) async fn respond(hub: &Hub, access: Grant, parts: &Parts) -> Result<Response<ResponseBody>, Refusal> {
    let store = &hub.engine.store;
    let ages = &hub.engine.config.ages;
    let vitals = store.vitals(ages).await.map_err(Refusal::store_away)?;
    let recent = store.page(None, None, RECENT).await.map_err(Refusal::store_away)?;
    let age_limits = Limits { healthy_ms: millis(ages.healthy), stale_ms: millis(ages.stale) };
    let told = Told { health: Health::of(&vitals, &recent), age_limits, access };
    let tag = entity_tag(&told);
    let mut response = match asks_for(parts, &tag) {
        true => json(StatusCode::OK, &told),
        false => {
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
fn entity_tag(told: &Told) -> HeaderValue {
    let mut timeless = told.clone();
    timeless.health.timestamp.clear();
    let text = serde_json::to_vec(&timeless).expect("counts are plain data");
    let digest = URL_SAFE_NO_PAD.encode(&Sha256::digest(text)[..12]);
    HeaderValue::from_str(&format!("\"{digest}\"")).expect("base64url is visible ASCII")
}
