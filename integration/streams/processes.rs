//! The same with real processes: three example servers on one Redis, some of them killed.

use std::time::Duration;

use futures::StreamExt;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::{assert_rising, assert_steps_and_result, steps_in};
use crate::harness::eventually::soon;
use crate::harness::process::Process;
use crate::harness::raw::{Client, Event, Events, Session, request};
use crate::harness::redis::RedisServer;
use crate::harness::size::size;

/// How long a client may wait to be told that nobody will answer; the promise is six seconds.
const GIVEN_UP_WITHIN: Duration = Duration::from_secs(15);

/// Three replicas; one that was killed leaves a hole.
struct Rig {
    servers: [Option<Process>; 3],
    _redis: RedisServer,
}

const NAMES: [&str; 3] = ["a", "b", "c"];

impl Rig {
    async fn start() -> Self {
        let redis = RedisServer::start();
        let url = redis.url();
        let server =
            async |name| Some(Process::server(&["--redis", &url, "--redis-timeout", "5s", "--replica", name]).await);
        let servers = [server(NAMES[0]).await, server(NAMES[1]).await, server(NAMES[2]).await];
        Self { servers, _redis: redis }
    }

    fn at(&self, session: &Session, server: usize) -> Session {
        session.at_address(self.servers[server].as_ref().expect("it runs").address())
    }

    async fn open(&self, server: usize) -> Session {
        let server = self.servers[server].as_ref().expect("it runs");
        Client::to(server.address()).open("2025-11-25").await
    }

    /// `kill -9`.
    async fn kill(&mut self, server: usize) {
        self.servers[server].take().expect("it runs").kill().await;
    }
}

fn call(id: u64, tool: &str, arguments: &Value) -> Value {
    request(id, "tools/call", json!({ "name": tool, "arguments": arguments, "_meta": { "progressToken": "steps" } }))
}

/// Calls a tool and returns the response to the call.
async fn response(session: &Session, id: u64, tool: &str, arguments: Value) -> Value {
    let answer = session.client.post(&call(id, tool, &arguments)).await;
    assert_eq!(answer.status, StatusCode::OK, "{tool}");
    match answer.headers["content-type"].to_str() {
        Ok("text/event-stream") => answer.events().rest().await.pop().expect("a response"),
        _ => answer.whole().await.json(),
    }
}

fn text_of(response: &Value) -> &str {
    response["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {response}"))
}

async fn countdown(session: &Session, id: u64, from: u64) -> Events {
    let arguments = json!({ "from": from, "interval_ms": 30 });
    session.client.post(&call(id, "countdown", &arguments)).await.events()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_with_equal_ids_in_many_sessions_get_their_own_answers() {
    const SESSIONS: usize = 100;
    let rig = Rig::start().await;
    let rounds = size(1_000, 10_000) / SESSIONS;
    let misrouted: usize = futures::stream::iter(0..SESSIONS)
        .map(async |number| {
            let session = rig.open(number % 3).await;
            let mut misrouted = 0;
            for round in 0..rounds {
                misrouted += usize::from(!is_own_answer(&rig, &session, number, round).await);
            }
            misrouted
        })
        .buffer_unordered(16)
        .fold(0, async |sum, of_session| sum + of_session)
        .await;
    assert_eq!(misrouted, 0);
}

/// Makes the session's call of this round, on the replica whose turn it is; every session counts its calls from 0.
async fn is_own_answer(rig: &Rig, session: &Session, number: usize, round: usize) -> bool {
    let server = (number + round) % 3;
    let (there, id) = (rig.at(session, server), round as u64);
    let unique = format!("session {number} round {}", round / 4 * 4);
    let answer = match round % 4 {
        0 => response(&there, id, "echo", json!({ "text": unique })).await,
        1 => response(&there, id, "note_put", json!({ "name": "n", "value": unique })).await,
        2 => response(&there, id, "note_get", json!({ "name": "n" })).await,
        _ => response(&there, id, "whoami", json!({})).await,
    };
    let is_own = match round % 4 {
        0 | 2 => text_of(&answer) == unique,
        1 => text_of(&answer) == r#"noted "n""#,
        _ => {
            let who = &answer["result"]["structuredContent"];
            who["session"] == session.key() && who["replica"] == NAMES[server]
        }
    };
    is_own && answer["id"] == id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_countdown_that_was_cut_goes_on_on_another_replica() {
    let rig = Rig::start().await;
    let session = rig.open(0).await;
    let mut stream = countdown(&session, 5, 20).await;
    let priming = stream.event().await.expect("a priming event");
    let mut events = stream.take(3).await;
    drop(stream);
    for server in [1, 2, 0] {
        let cursor = events.last().unwrap_or(&priming).cursor().to_owned();
        let mut resumed = rig.at(&session, server).resume(&cursor).await;
        resumed.take(1).await;
        events.extend(resumed.take(4).await);
    }
    let mut last = rig.at(&session, 1).resume(events.last().unwrap().cursor()).await;
    last.take(1).await;
    events.extend(last.all().await);
    assert_steps_and_result(&events, 1, 20);
    assert_rising(&events);
    assert_eq!(text_of(events.last().unwrap().message()), "counted to 20");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_replica_is_killed_ends_with_an_error_and_its_session_lives_on() {
    let mut rig = Rig::start().await;
    let session = rig.open(0).await;
    assert!(rig.at(&session, 1).client.post(&call(1, "whoami", &json!({}))).await.status.is_success());
    let mut stream = countdown(&session, 5, 10_000).await;
    let mut events = stream.take(4).await.split_off(1);
    let mut waiting = rig.at(&session, 2).resume(events[0].cursor()).await;
    waiting.take(1).await;
    rig.kill(0).await;
    let killed_at = Instant::now();
    let resumed = rig.at(&session, 1).resume(events.last().unwrap().cursor()).await;
    events.extend(timeout(GIVEN_UP_WITHIN, resumed.all()).await.expect("it ends").split_off(1));
    println!("told after {:?}", killed_at.elapsed());
    let told = assert_ends_with_error(&events, 5);
    let waited = timeout(GIVEN_UP_WITHIN, waiting.all()).await.expect("so does the one that was resumed before");
    assert_eq!(waited.last(), Some(&told), "everybody is told the same, under the same id");
    let who = response(&rig.at(&session, 1), 6, "whoami", json!({})).await;
    assert_eq!(who["result"]["structuredContent"]["session"], session.key());
    let again = rig.at(&session, 2).try_to_resume(told.cursor()).await;
    assert_eq!(again.status, StatusCode::NO_CONTENT, "nothing more comes");
}

/// Expects steps from 1 on and then an error for a request.
fn assert_ends_with_error(events: &[Event], id: u64) -> Event {
    let (last, before) = events.split_last().expect("events");
    assert_eq!(steps_in(before), (1..=before.len() as u64).collect::<Vec<_>>());
    assert_rising(events);
    assert_eq!((&last.message()["id"], last.message()["error"]["code"].is_i64()), (&json!(id), true), "{last:?}");
    last.clone()
}

/// Reads a listening stream until it tells of this note; returns the notes it told of.
async fn notes_until(listening: &mut Events, last: &str, cursor: &mut String) -> Vec<String> {
    let mut notes = Vec::new();
    while notes.last().is_none_or(|note| note != last) {
        let event = listening.event().await.expect("the stream stays open");
        if let Some(id) = &event.id {
            cursor.clone_from(id);
        }
        notes.extend(event.message()["params"]["data"]["noted"].as_str().map(str::to_owned));
    }
    notes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_whose_replica_is_killed_goes_on_on_another_and_misses_nothing() {
    let mut rig = Rig::start().await;
    let session = rig.open(0).await;
    let level = session.call("logging/setLevel", json!({ "level": "info" })).await;
    assert_eq!(level.status, StatusCode::OK);
    let mut listening = session.listen().await;
    let mut cursor = listening.event().await.expect("a priming event").cursor().to_owned();
    let mut wrote = Vec::new();
    let mut heard = Vec::new();
    for server in [1, 2] {
        // Bound while the client listens, so it is heard; how soon, its first notes tell.
        let name = format!("first of {}", NAMES[server]);
        response(&rig.at(&session, server), 1, "note_put", json!({ "name": name, "value": "x" })).await;
        soon("the first note", notes_until(&mut listening, &name, &mut cursor)).await;
    }
    for number in 0..60 {
        let name = format!("note {number:02}");
        response(&rig.at(&session, 1 + number % 2), 1, "note_put", json!({ "name": name, "value": "x" })).await;
        wrote.push(name);
        if number == 19 {
            heard.extend(notes_until(&mut listening, "note 18", &mut cursor).await);
        }
        if number == 39 {
            rig.kill(0).await;
        }
    }
    drop(listening);
    let mut resumed = rig.at(&session, 1).resume(&cursor).await;
    cursor = resumed.event().await.expect("a priming event").cursor().to_owned();
    while heard.len() < wrote.len() {
        let event = resumed.event().await.expect("the stream stays open");
        heard.extend(event.message()["params"]["data"]["noted"].as_str().map(str::to_owned));
    }
    response(&rig.at(&session, 2), 1, "note_put", json!({ "name": "end", "value": "x" })).await;
    let rest = notes_until(&mut resumed, "end", &mut cursor).await;
    assert_eq!(rest, ["end"], "nothing twice");
    heard.sort();
    assert_eq!(heard, wrote, "each once");
}
