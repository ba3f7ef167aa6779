//! `POST /api/mcp/sessions/{key}/reconnect`: a session back for a reconnect token, its handshake kept.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use http_body::Body;
use serde::Deserialize;

use super::answer::{Refusal, json};
use crate::audit::ReconnectDoor;
use crate::body::{BoxError, ResponseBody, Unreadable, read_whole};
use crate::engine::Engine;
use crate::engine::attempt::Attempt;
use crate::engine::reconnect::Named;
use crate::id::SessionKey;
use crate::protocol::headers;
use crate::reconnect::asked::{self, Presented};
use crate::reconnect::token::ReconnectToken;
use crate::rejection::Rejection;

/// Longest body: a token and a little JSON.
const LIMIT: usize = 16 << 10;

#[derive(Deserialize)]
struct Asked {
    token: String,
}

pub(super) async fn respond<B>(
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
    // A browser sends no cross-origin JSON without asking first, and is not answered then.
    if !headers::has_media_type(&parts.headers, &headers::JSON) {
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send JSON, with Content-Type: application/json"));
    }
    let body = read_whole(body, LIMIT).await.map_err(|why| match why {
        Unreadable::TooLong => Refusal::from(Rejection::BodyTooLarge),
        Unreadable::Broken => Refusal::from(Rejection::BodyBroken),
    })?;
    // serde alone would take an array for an object.
    let is_object = body.trim_ascii_start().starts_with(b"{");
    let Some(Asked { token }) = is_object.then(|| serde_json::from_slice(&body).ok()).flatten() else {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "The body must be an object with a token: {\"token\": \"…\"}",
        ));
    };
    let presented = ReconnectToken::parse(token.as_bytes()).map_or(Presented::Unreadable, Presented::Token);
    let nonce = asked::take_nonce(&mut parts.headers);
    let attempt = Attempt::begin(&engine, ReconnectDoor::Api, &parts);
    // A client that leaves does not cut it short.
    let tracker = engine.drain.calls.clone();
    let reconnecting =
        tracker.spawn(async move { engine.reconnect(attempt, presented, &Named::This(key), nonce).await });
    let renewed = reconnecting.await.map_err(|_| Refusal::from(Rejection::InnerPanicked))??;
    Ok(json(StatusCode::OK, &renewed))
}
