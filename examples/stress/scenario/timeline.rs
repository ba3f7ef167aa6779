//! What the monitor tells of a scenario's own sessions, read on by polling.

use std::collections::HashMap;

use serde_json::Value;

use crate::client::Failure;
use crate::monitor::Monitor;

/// Events of the sessions of one client name, as they are told.
pub struct Timeline {
    monitor: Monitor,
    client: String,
    cursor: String,
    /// What was there before is read.
    has_begun: bool,
}

/// One of them.
pub struct Happened {
    pub session: String,
    pub kind: String,
    /// How long the session had been unseen by then, by the store's clock.
    pub unseen_ms: u64,
}

impl Timeline {
    /// Begins with what happens from now on.
    pub async fn begin(monitor: &Monitor, client: &str) -> Result<Self, Failure> {
        let mut timeline =
            Self { monitor: monitor.clone(), client: client.to_owned(), cursor: String::new(), has_begun: false };
        timeline.read().await?;
        timeline.has_begun = true;
        Ok(timeline)
    }

    pub fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// What happened since.
    pub async fn read(&mut self) -> Result<Vec<Happened>, Failure> {
        let mut events = Vec::new();
        loop {
            let query = format!("client={}&cursor={}", self.client, self.cursor);
            let update = self.monitor.events(&query).await?;
            if self.has_begun && update["mode"] != "delta" {
                return Err(Failure::NotSeen("the monitor began anew: events were lost in between".to_owned()));
            }
            self.cursor = update["to"].as_str().unwrap_or_default().to_owned();
            events.extend(update["events"].as_array().into_iter().flatten().map(happened));
            if update["more"] != true {
                return Ok(events);
            }
        }
    }
}

fn happened(event: &Value) -> Happened {
    let session = &event["session"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (at, seen) = (event["at"].as_u64().unwrap_or(0), session["last_seen_at"].as_u64().unwrap_or(0));
    Happened { session: text(&session["session_id"]), kind: text(&event["type"]), unseen_ms: at.saturating_sub(seen) }
}

/// The status of each session of one client name, page by page.
pub async fn statuses(monitor: &Monitor, client: &str) -> Result<HashMap<String, String>, Failure> {
    let (mut found, mut cursor) = (HashMap::new(), String::new());
    loop {
        let (page, _) = monitor.list(&format!("?limit=500&client={client}&cursor={cursor}")).await?;
        for session in page["sessions"].as_array().into_iter().flatten() {
            let text = |field: &str| session[field].as_str().unwrap_or_default().to_owned();
            found.insert(text("session_id"), text("status"));
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => return Ok(found),
        }
    }
}
