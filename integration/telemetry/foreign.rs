//! Whatever a client writes, into whichever field: what is logged, audited, traced and counted of it stays one line of seen text,
//! and what the API and the feed carry of it stays JSON.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use http::{Method, request::Parts};
use metrics_util::debugging::DebuggingRecorder;
use serde_json::{Value, json};
use tower_mcp_sessions::ReconnectKeys;
use tower_mcp_sessions::monitor::{Access, Role};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::harness::backend::Backend;
use crate::harness::log::Log;
use crate::harness::raw::{Client, RECONNECT_TOKEN, SESSION_ID, Session, VERSION, initialize, modern, request};
use crate::harness::trio::Trio;

/// Markup, terminal escapes, line breaks, direction marks, formulas, log fields.
const FOREIGN: [&str; 8] = [
    "<img src=x onerror=owned()><script>owned()</script>",
    "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m",
    "one\r\n2026-01-01T00:00:00Z  INFO tower_mcp_sessions::audit: operator_attempt action=\"owned\"\n",
    "\u{202e}gnp.exe\u{2066}\u{200f}\u{2028}\u{2029}\u{feff}",
    "=cmd|' /C calc'!A0",
    "x;=1+1\t@SUM(A1)\t-1",
    "\" outcome=\"done\" principal=\"root",
    "{\"a\":\0}\u{85}%00%0d%0a${jndi:x}{}",
];

/// What subscribers of other makes are told: each value as it comes, of events and of spans, of ours.
#[derive(Clone, Default)]
struct Values(Arc<Mutex<BTreeSet<String>>>);

impl Visit for &Values {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.lock().unwrap().insert(format!("{}: {value}", field.name()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl<S: Subscriber> Layer<S> for Values {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target().starts_with("tower_mcp_sessions") {
            event.record(&mut &*self);
        }
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        if attributes.metadata().target().starts_with("tower_mcp_sessions") {
            attributes.record(&mut &*self);
        }
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        values.record(&mut &*self);
    }
}

fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A principal may hold any text: some are percent-encoded, or come from a login's database.
fn user(parts: &Parts) -> Option<String> {
    Some(
        String::from_utf8_lossy(parts.headers.get("x-user")?.as_bytes())
            .replace("{esc}", "\u{1b}")
            .replace("{lf}", "\n"),
    )
}

/// What of a text a header may hold.
fn in_header(text: &str) -> Vec<u8> {
    text.bytes().map(|byte| if byte < 0x20 && byte != b'\t' || byte == 0x7f { b'?' } else { byte }).collect()
}

#[tokio::test]
async fn foreign_text_stays_text_wherever_it_is_told_in_memory() {
    foreign_text_stays_text_wherever_it_is_told(Backend::Memory).await;
}

#[tokio::test]
async fn foreign_text_stays_text_wherever_it_is_told_in_redis() {
    foreign_text_stays_text_wherever_it_is_told(Backend::Redis).await;
}

async fn foreign_text_stays_text_wherever_it_is_told(backend: Backend) {
    let (log, values, recorder) = (Log::default(), Values::default(), DebuggingRecorder::new());
    let text = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(log.clone());
    tracing_subscriber::registry().with(text).with(values.clone()).init();
    let counted = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let keys = ReconnectKeys::new("first", b"thirty-two bytes of a secret, or more").unwrap();
    let access = Access::bearer("of the tests", Role::Admin);
    let trio = Trio::monitored(
        backend.store().await,
        |_, builder| builder.principal(|parts| Ok(user(parts))).reconnect(keys.clone()).reconnect_tool(true),
        |monitor| monitor.access(access.clone()).allow_terminate(true),
    )
    .await;
    for foreign in FOREIGN {
        let client = trio
            .client()
            .with_bytes("x-user", &in_header(&format!("{foreign}{{esc}}[31m{{lf}}")))
            .with_bytes("user-agent", &in_header(foreign));
        let session = open(&client, foreign).await;
        messages(&session, &trio, foreign).await;
        heads(&session, foreign).await;
        reconnects(&session, foreign).await;
        monitored(&session, foreign).await;
    }

    for line in log.text().lines() {
        assert!(line.starts_with("20") || !line.contains("owned"), "a line was forged: {line:?}");
        let is_ours = line.contains(" tower_mcp_sessions");
        assert!(!is_ours || !line.contains(is_unseen), "{line:?}");
        assert!(!line.starts_with("2026-01-01T00:00:00Z"), "{line:?}");
    }
    let values = values.0.lock().unwrap();
    for field in ["client", "principal", "gen_ai.tool.name", "otel.name", "mcp.method.name", "name"] {
        let told = values.iter().filter(|value| value.starts_with(&format!("{field}: "))).count();
        assert!(told >= FOREIGN.len(), "{field} was told {told} times");
    }
    for value in values.iter() {
        assert!(!value.contains(is_unseen), "{value:?}");
    }
    for (key, ..) in counted.snapshot().into_vec() {
        for label in key.key().labels() {
            let is_ours = |c: char| c.is_ascii_alphanumeric() || c == '_';
            assert!(label.value().chars().all(is_ours), "{label:?} comes from a client");
        }
    }
}

/// Who the client says it is.
async fn open(client: &Client, foreign: &str) -> Session {
    let mut message = initialize("2025-11-25");
    message["params"]["clientInfo"] =
        json!({ "name": foreign, "version": foreign, "title": foreign, "websiteUrl": foreign });
    message["params"]["capabilities"] = json!({ "experimental": { foreign: {} } });
    let answer = client.post(&message).await.whole().await;
    let id = answer.session_id().unwrap_or_else(|| panic!("{}", answer.text()));
    let client = client.with(SESSION_ID, &id).with(VERSION, "2025-11-25");
    client.post(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
    Session { id, client }
}

/// Everything that a message holds.
async fn messages(session: &Session, trio: &Trio, foreign: &str) {
    session.call("resources/subscribe", json!({ "uri": format!("once:{foreign}") })).await;
    session.call("logging/setLevel", json!({ "level": foreign })).await;
    session.call("tools/call", json!({ "name": foreign, "arguments": { foreign: foreign } })).await;
    session.call("prompts/get", json!({ "name": foreign, "arguments": { foreign: foreign } })).await;
    session.call(foreign, json!({ foreign: foreign, "_meta": { "progressToken": foreign } })).await;
    for message in [
        json!({ "jsonrpc": "2.0", "id": foreign, "method": "echo", "params": { "name": foreign } }),
        json!({ "jsonrpc": "2.0", "id": foreign, "result": { foreign: foreign } }),
        json!({ "jsonrpc": "2.0", "id": foreign, "error": { "code": 1, "message": foreign } }),
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": foreign, "reason": foreign } }),
        json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "progressToken": foreign, "progress": 1, "message": foreign } }),
        json!({ "jsonrpc": foreign, "id": 1, "method": foreign }),
        json!([{ "jsonrpc": "2.0", "id": 1, "method": foreign }]),
        json!(foreign),
        modern(foreign),
    ] {
        session.client.post(&message).await;
    }
    session.client.send(Method::POST, foreign.to_owned()).await;
    let mut told = modern("tools/call");
    told["params"]["name"] = json!(foreign);
    told["params"]["_meta"]["io.modelcontextprotocol/clientInfo"] = json!({ "name": foreign, "version": foreign });
    session.client.without(SESSION_ID).with(VERSION, "2026-07-28").post(&told).await;
    // Replayed to another inner service, which does not take the subscription.
    let there = session.at(&trio.replicas[1]);
    assert!(there.works().await);
}

/// Everything that a head holds.
async fn heads(session: &Session, foreign: &str) {
    let value = in_header(foreign);
    for name in [
        "mcp-session-id",
        "mcp-protocol-version",
        "last-event-id",
        "mcp-method",
        "mcp-name",
        "mcp-param-x",
        "origin",
        "host",
        "x-forwarded-for",
        "forwarded",
        "x-real-ip",
        "via",
        "accept",
        "content-type",
        "cookie",
        "authorization",
        "referer",
        "traceparent",
        "mcp-reconnect-token",
        "mcp-reconnect-nonce",
    ] {
        let client = session.client.with_bytes(name, &value);
        client.post(&request(1, "echo", json!({}))).await;
        client.post(&initialize("2025-11-25")).await;
        drop(client.get().await);
        client.with(VERSION, "2026-07-28").post(&modern("tools/call")).await;
    }
}

/// Every way to come back.
async fn reconnects(session: &Session, foreign: &str) {
    let stranger = session.client.without(SESSION_ID);
    let mut message = initialize("2025-11-25");
    message["params"]["_meta"] =
        json!({ "tower-mcp-sessions/reconnectToken": foreign, "tower-mcp-sessions/reconnectNonce": foreign });
    stranger.post(&message).await;
    let arguments = json!({ "session_id": foreign, "reconnect_token": foreign });
    session.call("tools/call", json!({ "name": "reconnect_session", "arguments": arguments })).await;
    let path = format!("/api/mcp/sessions/{}/reconnect", session.key());
    stranger.at_path(path).post(&json!({ "token": foreign })).await;
    let given = stranger.post(&initialize("2025-11-25")).await.headers.get(RECONNECT_TOKEN).cloned().expect("a token");
    let token = given.to_str().unwrap();
    let path = format!("/api/mcp/sessions/{}/reconnect", session.key());
    stranger
        .at_path(path)
        .with_bytes("mcp-reconnect-nonce", &in_header(foreign))
        .post(&json!({ "token": token }))
        .await;
}

/// What a viewer may write, and what it reads.
async fn monitored(session: &Session, foreign: &str) {
    let client = session.client.with("authorization", "Bearer of the tests");
    let written: String = url::form_urlencoded::byte_serialize(foreign.as_bytes()).collect();
    for path in [
        format!("/api/mcp/sessions?q={written}&client={written}&cursor={written}"),
        format!("/api/mcp/sessions/events?cursor={written}&client={written}&types={written}"),
        format!("/api/mcp/sessions/{written}"),
        format!("/{written}"),
        format!("/assets/{written}"),
        "/api/mcp/sessions".to_owned(),
        "/api/mcp/sessions/health".to_owned(),
        format!("/api/mcp/sessions/{}", session.key()),
    ] {
        let answer = client.at_path(path.clone()).get().await.whole().await;
        let is_json = answer.headers["content-type"] == "application/json";
        assert!(is_json && answer.headers["x-content-type-options"] == "nosniff", "{path}");
        assert!(serde_json::from_slice::<Value>(&answer.body).is_ok(), "{path}");
        assert!(!answer.text().contains(|c: char| c.is_control()), "{path}: {}", answer.text());
    }
    client.at_path(format!("/api/mcp/sessions/{written}")).delete().await;
    client.at_path(format!("/api/mcp/sessions/{}", session.key())).delete().await;
}
