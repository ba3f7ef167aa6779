//! One span for each message, with the attributes of OpenTelemetry's semantic conventions for MCP. Target
//! `tower_mcp_sessions::request`, level `DEBUG`: what is not asked for costs one look at a flag.

use std::borrow::Cow;

use http::Method;
use http::header::AsHeaderName;
use http::request::Parts;
use serde::Deserialize;
use tracing::Span;
use tracing::field::{Empty, display};

use crate::id::SessionKey;
use crate::protocol::{headers, names};
use crate::telemetry::text::escaped;

const TARGET: &str = "tower_mcp_sessions::request";
/// Longest name taken from a client.
const LONGEST: usize = 128;

/// What of a message names the span.
#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    params: Option<Params<'a>>,
}

#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
}

/// The span of a message that was POSTed, or none if nobody asked for it.
pub(crate) fn of_message(parts: &Parts, body: &[u8]) -> Span {
    if !is_wanted() {
        return Span::none();
    }
    let named = names::object::<Named<'_>>(body).unwrap_or(Named { method: None, params: None });
    let name = named.params.and_then(|params| params.name);
    span(parts, named.method.as_deref(), name.as_deref())
}

/// The span of a modern message whose body is not looked at: its head says what it is (MCP 2026-07-28, Standard Headers).
pub(crate) fn of_head(parts: &Parts) -> Span {
    if !is_wanted() || parts.method != Method::POST {
        return Span::none();
    }
    span(parts, text(parts, "mcp-method"), text(parts, "mcp-name"))
}

/// Whether anybody asked for these spans. If not, the current span is the application's own, and none of our business.
fn is_wanted() -> bool {
    tracing::enabled!(target: TARGET, tracing::Level::DEBUG)
}

fn text(parts: &Parts, name: impl AsHeaderName) -> Option<&str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok())
}

fn span(parts: &Parts, method: Option<&str>, name: Option<&str>) -> Span {
    let method = method.map(shown);
    let tool = name.filter(|_| method.as_deref() == Some("tools/call")).map(shown);
    let version = text(parts, headers::PROTOCOL_VERSION).map(shown);
    let (method, tool, version) = (method.as_deref(), tool.as_deref(), version.as_deref());
    let name = match (method, tool) {
        (Some(method), Some(tool)) => Cow::Owned(format!("{method} {tool}")),
        (Some(method), None) => Cow::Borrowed(method),
        (None, _) => Cow::Borrowed("answer"),
    };
    tracing::debug_span!(
        target: TARGET,
        "mcp.request",
        otel.name = &*name,
        otel.kind = "server",
        mcp.method.name = method,
        mcp.protocol.version = version,
        gen_ai.tool.name = tool,
        mcp.session.id = Empty,
        error.type = Empty,
    )
}

/// The message belongs to this session: its key is told, never its id.
pub(crate) fn concerns(session: &SessionKey) {
    if is_wanted() {
        Span::current().record("mcp.session.id", display(session));
    }
}

/// The layer refused it with this status.
pub(crate) fn refused(status: http::StatusCode) {
    if is_wanted() {
        Span::current().record("error.type", status.as_u16());
    }
}

/// Cut, and escaped.
fn shown(text: &str) -> Cow<'_, str> {
    let end = (0..=LONGEST.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    escaped(&text[..end.unwrap_or_default()])
}
