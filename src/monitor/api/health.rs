//! `GET /api/mcp/sessions/health`: how the sessions fare, in the shape its consumers have always known.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::future::try_join;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::body::ResponseBody;
use crate::monitor::access::{Grant, Role};
use crate::monitor::answer::{Refusal, json, tagged};
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
    let asked = try_join(store.vitals(ages), store.page(None, None, RECENT)).await;
    let (vitals, recent) = asked.map_err(Refusal::store_away)?;
    let age_limits = Limits { healthy_ms: millis(ages.healthy), stale_ms: millis(ages.stale) };
    let health = Health::of(&vitals, &recent);
    let health = if access.role == Some(Role::Counts) { health.counts_only() } else { health };
    let told = Told { health, age_limits, access };
    let mut response = tagged(parts, &digest_of(&told), || json(StatusCode::OK, &told));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// Names everything but the time it was asked for.
fn digest_of(told: &Told) -> String {
    let mut timeless = told.clone();
    timeless.health.timestamp.clear();
    let text = serde_json::to_vec(&timeless).expect("counts are plain data");
    URL_SAFE_NO_PAD.encode(&Sha256::digest(text)[..12])
}
