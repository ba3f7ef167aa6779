//! A client may call itself what it likes: the API and the feed carry it as text, and logs keep their lines.

use http::header;
use serde_json::{Value, json};

use super::socket::Socket;
use super::{REVISION, api, open_trio};
use crate::harness::backend::{Backend, on_every_backend};
use crate::harness::log::Log;
use crate::harness::raw::{SESSION_ID, initialize};

on_every_backend! {
    hostile_names_are_inert_text_everywhere,
}

const NAMES: [&str; 6] = [
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "\u{1b}[2J\u{1b}]0;owned\u{7}red",
    "one\r\nSet-Cookie: a=b\r\n\r\ntwo\n3",
    "\u{202e}gnp.exe\u{2066}\u{200f}",
    "\"},{\"t\":\"bye\"}\\\u{2028}\u{2029}\0",
    "data: x\n\nid: y\n\n",
];

/// What is kept of a name: what controls a terminal or breaks a line is replaced.
fn kept(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Events that come close together are told in one update, and which ones do is nobody's promise.
fn is_creation_of(event: &Value, key: &str) -> bool {
    event["type"] == "session_created" && event["session"]["session_id"] == key
}

async fn hostile_names_are_inert_text_everywhere(backend: Backend) {
    let log = Log::capture();
    let trio = open_trio(backend).await;
    let mut socket = Socket::hello(&trio.replicas[1]).await;
    socket.update().await;
    let mut events = trio.client().at(&trio.replicas[2]).at_path("/sse/sessions").get().await.events();
    events.next().await.expect("a snapshot");
    for name in NAMES {
        let mut message = initialize(REVISION);
        message["params"]["clientInfo"] = json!({ "name": name, "version": name });
        let agent = kept(name).replace(|c: char| !c.is_ascii(), "?");
        let answer = trio.client().with(header::USER_AGENT, &agent).post(&message).await.whole().await;
        let id = answer.session_id().expect("an id");
        let key = &id[..16];
        let expected = json!(kept(name));
        let is_inert = |session: &Value| session["client_type"] == expected && session["client_version"] == expected;
        let opened =
            |update: &Value| update["events"].as_array()?.iter().find(|event| is_creation_of(event, key)).cloned();
        let told = loop {
            if let Some(event) = opened(&socket.happening().await) {
                break event;
            }
        };
        assert!(is_inert(&told["session"]), "{told}");
        let told = loop {
            if let Some(event) = opened(&events.next().await.expect("an update")) {
                break event;
            }
        };
        assert!(is_inert(&told["session"]), "{told}");
        let detail = api(&trio.replicas[0], &format!("/{key}")).get().await.whole().await;
        assert_eq!(detail.headers["x-content-type-options"], "nosniff");
        assert!(is_inert(&detail.json()["session"]) && is_inert(&detail.json()["timeline"][0]["session"]));
        let health = api(&trio.replicas[0], "/health").get().await.whole().await.json();
        assert!(health["recent_activity"].as_array().unwrap().iter().any(|line| line["client_type"] == expected));
        assert!(health["clients"].as_array().unwrap().iter().any(|client| client["client_type"] == expected));
        let listed = api(&trio.replicas[0], &format!("?q={key}")).get().await.whole().await.json();
        assert!(is_inert(&listed["sessions"][0]), "{listed}");
        let end = trio.client().with(SESSION_ID, &id).delete().await;
        assert_eq!(end.status, 204);
    }
    // What we say is one line, and nothing in it moves a terminal or turns text around but the log's own colours.
    let said = strip_colours(&log.text());
    let mut lines = said.lines().peekable();
    let mut ours = 0;
    while let Some(line) = lines.next() {
        if line.contains(" tower_mcp_sessions") {
            ours += 1;
            let moves = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || c == '\u{2066}';
            assert!(!line.contains(moves), "{line:?}");
            assert!(lines.peek().is_none_or(|next| next.starts_with("20")), "{line:?} goes on");
        }
    }
    assert!(ours > NAMES.len(), "{ours} lines of ours");
}

fn strip_colours(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| {
        let colour = part.strip_prefix('[').and_then(|part| part.split_once('m'));
        let is_colour = |codes: &str| codes.bytes().all(|byte| byte.is_ascii_digit() || byte == b';');
        match colour {
            Some((codes, text)) if is_colour(codes) => plain + text,
            _ => plain + "\u{1b}" + part,
        }
    })
}
