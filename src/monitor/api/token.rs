//! `GET /api/mcp/sessions/{key}/token`: a reconnect token for who holds the session already, or for an operator. A key alone,
//! which everybody may know, buys none.

use http::request::Parts;
use http::{Response, StatusCode};
use serde::Serialize;

use crate::body::ResponseBody;
use crate::classify;
use crate::engine::Engine;
use crate::engine::config::Freshness;
use crate::engine::verdict::Vouched;
use crate::id::SessionKey;
use crate::monitor::access::Role;
use crate::monitor::answer::{Refusal, json};
use crate::monitor::deed::Deed;
use crate::rejection::Rejection;
use crate::session::SessionRecord;

#[derive(Serialize)]
struct Given {
    session_id: String,
    reconnect_token: String,
    /// Seconds.
    expires_in: u64,
}

pub(crate) async fn respond(
    engine: &Engine,
    parts: &Parts,
    key: SessionKey,
    role: Option<Role>,
) -> Result<Response<ResponseBody>, Refusal> {
    let Some(ttl) = engine.token_ttl() else { return Err(Refusal::no_reconnect()) };
    let record = match (classify::session_id(parts), role) {
        (Err(Rejection::SessionIdMissing), Some(Role::Admin)) => {
            let deed = Deed { action: "give_token", session: key, role, engine, parts };
            deed.conclude(for_operator(engine, &key)).await?
        }
        (Err(Rejection::SessionIdMissing | Rejection::SessionIdAmbiguous), _) => {
            return Err(Refusal::no_access(NEEDS_ID));
        }
        (Ok(id), _) if id.key() == key => {
            let principal = engine.config.principal_of(parts)?;
            let vouched = engine.vouch(&id, principal.as_ref(), Freshness::Strict).await;
            SessionRecord::clone(&*vouched.and_then(Vouched::of_holder).map_err(not_found)?)
        }
        (Ok(_) | Err(_), _) => return Err(Refusal::no_such_session()),
    };
    let token = engine.mint(&record).await.ok_or(Rejection::StoreUnavailable)?;
    let given =
        Given { session_id: key.to_string(), reconnect_token: token.expose().to_owned(), expires_in: ttl.as_secs() };
    Ok(json(StatusCode::OK, &given))
}

async fn for_operator(engine: &Engine, key: &SessionKey) -> Result<SessionRecord, Refusal> {
    let found = engine.store.find(key).await.map_err(Refusal::store_away)?;
    found.ok_or_else(Refusal::no_such_session)
}

fn not_found(rejection: Rejection) -> Refusal {
    match rejection {
        Rejection::SessionNotFound => Refusal::no_such_session(),
        other => other.into(),
    }
}

const NEEDS_ID: &str =
    "Only who holds the session gets a token for it: send the session's own id in Mcp-Session-Id, or be an operator";
