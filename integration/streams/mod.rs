//! Streams and answers on several replicas: what is said on one is heard on another, whole and once.

mod answering;
mod bounds;
mod listening;
mod processes;
mod resuming;
mod shaping;
mod store_away;

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use tokio::time::timeout;
use tower::Layer;
use tower_mcp_sessions::{SessionLayer, SessionLayerBuilder};

use crate::harness::backend::{Backend, SharedStore};
use crate::harness::eventually::eventually;
use crate::harness::inner::{Scripted, step};
use crate::harness::raw::{Client, Event, Events, Session, Whole};
use crate::harness::replica::{Replica, layer};

/// Three replicas on one store, each with an inner service of its own.
struct Trio {
    store: SharedStore,
    inners: [Scripted; 3],
    layers: [SessionLayer; 3],
    replicas: [Replica; 3],
}

impl Trio {
    async fn start(backend: Backend) -> Self {
        Self::with(backend, |builder| builder).await
    }

    /// The same with other options.
    async fn with(backend: Backend, options: impl Fn(SessionLayerBuilder) -> SessionLayerBuilder) -> Self {
        let store = backend.store().await;
        let inners = [(); 3].map(|()| Scripted::with_sessions());
        for inner in &inners {
            inner.script(|script| script.greets = false);
        }
        let layers = [(); 3].map(|()| options(layer(&store)).build());
        let start = async |at: usize| Replica::start(layers[at].layer(inners[at].clone())).await;
        let replicas = [start(0).await, start(1).await, start(2).await];
        Self { store, inners, layers, replicas }
    }

    /// A session opened on the first replica.
    async fn open(&self) -> Session {
        self.client().open("2025-11-25").await
    }

    fn client(&self) -> Client {
        Client::of(&self.replicas[0])
    }

    /// The session as it is used on each replica.
    fn everywhere(&self, session: &Session) -> [Session; 3] {
        [0, 1, 2].map(|at| session.at(&self.replicas[at]))
    }

    /// A session that has a binding on each replica.
    async fn open_everywhere(&self) -> [Session; 3] {
        let everywhere = self.everywhere(&self.open().await);
        for session in &everywhere {
            assert!(session.works().await);
        }
        everywhere
    }

    /// Waits until the inner services are heard that say something by themselves.
    async fn all_heard(&self) {
        eventually("all inner services are heard", async || self.inners.iter().all(|inner| inner.ears() == 1)).await;
    }
}

/// The steps among some events, by number.
fn steps_in(events: &[Event]) -> Vec<u64> {
    let messages = events.iter().filter_map(|event| event.message.as_ref());
    // Some inner services write them as floats.
    messages.filter_map(|message| message["params"]["progress"].as_f64()).map(|progress| progress as u64).collect()
}

/// Expects so many steps, beginning with this one, and then the result.
fn assert_steps_and_result(events: &[Event], first: u64, last: u64) {
    let (result, before) = events.split_last().expect("events");
    assert_eq!(steps_in(before), (first..=last).collect::<Vec<_>>());
    assert_eq!(before.len() as u64, last + 1 - first, "nothing but steps");
    assert!(before.iter().all(|event| event.message()["method"] == step(0)["method"]));
    assert!(result.message()["result"].is_object(), "{result:?}");
}

/// The position in an event id.
fn position(event: &Event) -> u64 {
    let (_, position) = event.cursor().rsplit_once('.').expect("a position");
    position.parse().expect("a number")
}

/// Expects that ids rise strictly.
fn assert_rising(events: &[Event]) {
    assert!(events.windows(2).all(|pair| position(&pair[0]) < position(&pair[1])), "{events:?}");
}

/// Expects a refusal that a client can read.
fn assert_refused(answer: &Whole, status: StatusCode) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert!(answer.json()["error"]["code"].is_i64(), "{}", answer.text());
}

/// Expects that nothing comes for a while.
async fn assert_silent(stream: &mut Events, span: Duration) {
    if let Ok(event) = timeout(span, stream.event()).await {
        panic!("nothing should have come, not even the end: {event:?}");
    }
}

/// The data of a log message the service says by itself.
fn word(text: &str) -> Value {
    serde_json::json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": "info", "data": text } })
}

/// What the log messages among some events say.
fn words_in(events: &[Event]) -> Vec<String> {
    let messages = events.iter().filter_map(|event| event.message.as_ref());
    messages.filter_map(|message| message["params"]["data"].as_str()).map(str::to_owned).collect()
}
