//! `GET /api/mcp/sessions/{key}/token`: a reconnect token for who holds the session already. A key alone, which everybody may
//! know, buys none.

use http::request::Parts;
use http::{Response, StatusCode};
use serde::Serialize;

use super::answer::{Refusal, json};
use crate::body::ResponseBody;
use crate::classify;
use crate::engine::Engine;
use crate::engine::config::Freshness;
use crate::id::SessionKey;
use crate::rejection::Rejection;

#[derive(Serialize)]
struct Given {
    session_id: String,
    reconnect_token: String,
    /// Seconds.
    expires_in: u64,
}

pub(super) async fn respond(
    engine: &Engine,
    parts: &Parts,
    key: SessionKey,
) -> Result<Response<ResponseBody>, Refusal> {
    let Some(ttl) = engine.token_ttl() else { return Err(Refusal::no_reconnect()) };
    let id = match classify::session_id(parts) {
        Ok(id) if id.key() == key => id,
        Ok(_) | Err(Rejection::SessionNotFound) => return Err(Refusal::no_such_session()),
        Err(_) => return Err(Refusal::new(StatusCode::FORBIDDEN, NEEDS_ID)),
    };
    let principal = engine.config.principal_of(parts);
    let vouched = engine.vouch(&id, principal.as_ref(), Freshness::Strict).await;
    let vouched = vouched.map_err(|rejection| match rejection {
        Rejection::SessionNotFound => Refusal::no_such_session(),
        other => other.into(),
    })?;
    let token = engine.mint(&vouched.record).await.ok_or(Rejection::StoreUnavailable)?;
    let given =
        Given { session_id: key.to_string(), reconnect_token: token.expose().to_owned(), expires_in: ttl.as_secs() };
    Ok(json(StatusCode::OK, &given))
}

const NEEDS_ID: &str = "Only who holds the session gets a token for it: send the session's own id in Mcp-Session-Id";
