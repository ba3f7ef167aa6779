//! `POST /api/mcp/sessions/{key}/reconnect`: a session back for a reconnect token, its handshake kept.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use http_body::Body;
use serde::Deserialize;

use super::body::object;
use crate::audit::ReconnectDoor;
use crate::body::{BoxError, ResponseBody};
use crate::engine::Engine;
use crate::engine::attempt::Attempt;
use crate::engine::reconnect::Named;
use crate::id::SessionKey;
use crate::monitor::answer::{Refusal, json};
use crate::reconnect::asked::{self, Presented};
use crate::reconnect::token::ReconnectToken;
use crate::rejection::Rejection;

#[derive(Deserialize)]
struct Asked {
    token: String,
}

pub(crate) async fn respond<B>(
    engine: Arc<Engine>,
    mut parts: Parts,
    body: B,
    key: SessionKey,
) -> Result<Response<ResponseBody>, Refusal>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    if engine.config.reconnect.is_none() {
        return Err(Refusal::no_reconnect());
    }
    let principal = engine.config.principal_of(&parts)?;
    let Asked { token } = object(&parts, body, "The body must be an object with a token: {\"token\": \"…\"}").await?;
    let presented = ReconnectToken::parse(token.as_bytes()).map_or(Presented::Unreadable, Presented::Token);
    let nonce = asked::take_nonce(&mut parts.headers);
    let attempt = Attempt::begin(&engine, ReconnectDoor::Api, principal, &parts);
    // A client that leaves does not cut it short.
    let tracker = engine.drain.calls.clone();
    let reconnecting =
        tracker.spawn(async move { engine.reconnect(attempt, presented, &Named::This(key), nonce).await });
    let renewed = reconnecting.await.map_err(|_| Refusal::from(Rejection::InnerPanicked))??;
    Ok(json(StatusCode::OK, &renewed))
}
