//! A span for each message, as OpenTelemetry's conventions for MCP name things.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Full;
use serde_json::json;
use tower::{Layer as _, ServiceExt};
use tracing::field::{Empty, Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Instrument, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::harness::backend::Backend;
use crate::harness::raw::{SESSION_ID, VERSION, modern, request};
use crate::harness::trio::Trio;

pub(super) type Fields = BTreeMap<&'static str, String>;

/// The spans there were, in order, with what was told of them.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<(u64, Fields)>>>);

pub(super) struct Told<'a>(pub(super) &'a mut Fields);

impl Visit for Told<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), fmt::format(format_args!("{value:?}")));
    }
}

impl<S: Subscriber> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        let mut fields = Fields::new();
        attributes.record(&mut Told(&mut fields));
        self.0.lock().unwrap().push((id.into_u64(), fields));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut spans = self.0.lock().unwrap();
        if let Some((_, fields)) = spans.iter_mut().rfind(|(of, _)| *of == id.into_u64()) {
            values.record(&mut Told(fields));
        }
    }
}

impl Spans {
    /// What was told of the last span.
    fn last(&self) -> Fields {
        self.0.lock().unwrap().last().expect("there was a span").1.clone()
    }
}

#[tokio::test]
async fn a_message_is_told_of_by_method_tool_and_session_key() {
    let spans = Spans::default();
    let wanted = Targets::new().with_target("tower_mcp_sessions::request", Level::DEBUG);
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(wanted).with(spans.clone()));
    let trio = Trio::start(Backend::Memory).await;
    let session = trio.open().await;
    let (key, secret) = session.id.split_at(16);

    let told = |fields: &[(&'static str, &str)]| {
        let last = spans.last();
        for (name, value) in fields {
            assert_eq!(last.get(name).map(String::as_str), Some(*value), "{name}: {last:?}");
        }
        last
    };
    session.at(&trio.replicas[1]).call("tools/call", json!({ "name": "add", "arguments": { "secret": secret } })).await;
    told(&[
        ("otel.name", "tools/call add"),
        ("otel.kind", "server"),
        ("mcp.method.name", "tools/call"),
        ("mcp.protocol.version", "2025-11-25"),
        ("gen_ai.tool.name", "add"),
        ("mcp.session.id", key),
    ]);

    let unknown = trio.client().with(SESSION_ID, &"A".repeat(43)).call("tools/list", json!({})).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let last = told(&[("otel.name", "tools/list"), ("error.type", "404")]);
    assert!(!last.contains_key("mcp.session.id"), "{last:?}");

    let modern_client = trio.client().with("mcp-method", "tools/call").with("mcp-name", "echo");
    modern_client.with(VERSION, "2026-07-28").post(&modern("tools/call")).await;
    told(&[("otel.name", "tools/call echo"), ("mcp.protocol.version", "2026-07-28")]);
    trio.client().post(&modern("resources/read")).await;
    told(&[("otel.name", "resources/read")]);

    let long = "x".repeat(10_000);
    session.call(&long, json!({})).await;
    assert_eq!(spans.last()["otel.name"].len(), 128, "a client's names are cut");

    let all = format!("{:?}", spans.0.lock().unwrap());
    assert!(!all.contains(secret), "a secret is told of");
}

#[tokio::test]
async fn a_span_of_the_applications_own_is_left_alone() {
    let spans = Spans::default();
    let wanted = Targets::new().with_target("application", Level::DEBUG);
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(wanted).with(spans.clone()));
    let trio = Trio::start(Backend::Memory).await;
    let service = trio.layers[0].layer(trio.inners[0].clone());
    let call = Request::post("/mcp")
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json, text/event-stream")
        .header(SESSION_ID, "A".repeat(43))
        .body(Full::<Bytes>::from(request(1, "tools/list", json!({})).to_string()))
        .unwrap();
    let own = tracing::debug_span!(target: "application", "own", mcp.session.id = Empty, error.type = Empty);
    let refused = service.oneshot(call).instrument(own).await.unwrap();
    assert_eq!(refused.status(), StatusCode::NOT_FOUND);
    assert_eq!(spans.last(), Fields::new());
}
