//! An anonymous session becomes its first principal's: once, on all replicas, and nobody else's.

mod holders;
mod login;
mod shared;
mod streams;
mod ways;

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::harness::eventually::within;
use crate::harness::raw::Session;
use crate::harness::trio::Trio;

/// How long a replica may trust what it heard of a session; the rest is for a machine with much else to do.
const CACHED_FOR: Duration = Duration::from_secs(3);

/// A session as somebody uses it.
fn of(session: &Session, user: &str) -> Session {
    Session { id: session.id.clone(), client: session.client.with("x-user", user) }
}

/// The status of an ordinary call at each replica.
async fn statuses(trio: &Trio, session: &Session) -> [u16; 3] {
    let mut statuses = [0; 3];
    for (status, session) in statuses.iter_mut().zip(trio.everywhere(session)) {
        *status = session.status().await.as_u16();
    }
    statuses
}

/// Waits until a session is unknown to everybody but one user.
async fn assert_foreign(trio: &Trio, anonymous: &Session, owner: &str) {
    for stranger in [anonymous.clone(), of(anonymous, "mallory"), of(anonymous, "")] {
        within(CACHED_FOR, "the session is foreign", async || statuses(trio, &stranger).await == [404; 3]).await;
    }
    assert_eq!(statuses(trio, &of(anonymous, owner)).await, [200; 3]);
}

/// What happened to a session, as the monitor tells it.
async fn timeline(trio: &Trio, session: &Session) -> Vec<Value> {
    let path = format!("/api/mcp/sessions/{}", session.key());
    let detail = trio.client().at_path(path).get().await.whole().await;
    assert_eq!(detail.status, StatusCode::OK, "{}", detail.text());
    let mut detail = detail.json();
    assert_eq!(detail["session"]["reconnect_count"], json!(0), "an adoption is no reconnect");
    match detail["timeline"].take() {
        Value::Array(events) => events,
        other => panic!("no timeline: {other}"),
    }
}
