//! The scripted service's longer answers: steps that a test releases one by one, questions to the client, and what the
//! service says by itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, broadcast, oneshot};
use tower_mcp_sessions::body::BoxError;

use super::answers::{event, event_stream, log, result, status};
use super::{Running, Scripted, Seen};
use crate::harness::headers::SESSION_ID;

/// An open question: the inner session that asked, and what it called it.
type Asked = (String, u64);

/// What is being talked about.
pub(super) struct Conversation {
    /// Permits for what waits, by the name of the gate.
    gates: Mutex<HashMap<String, Arc<Semaphore>>>,
    /// How many questions each inner session has asked.
    asked: Mutex<HashMap<String, u64>>,
    open: Mutex<HashMap<Asked, oneshot::Sender<Value>>>,
    /// What the service says by itself goes to every GET that is open.
    said: broadcast::Sender<Bytes>,
}

impl Default for Conversation {
    fn default() -> Self {
        Self {
            gates: Mutex::default(),
            asked: Mutex::default(),
            open: Mutex::default(),
            said: broadcast::Sender::new(4096),
        }
    }
}

impl Conversation {
    fn gate(&self, name: &str) -> Arc<Semaphore> {
        Arc::clone(self.gates.lock().unwrap().entry(name.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(0))))
    }

    async fn wait_at(&self, name: &str) {
        self.gate(name).acquire().await.expect("the gate stays open").forget();
    }
}

/// The gate a call waits at.
fn gate_of(params: &Value) -> String {
    params["gate"].as_str().unwrap_or_default().to_owned()
}

fn inner_id(seen: &Seen) -> String {
    seen.header(SESSION_ID.as_str()).unwrap_or_default().to_owned()
}

/// Step `number` of a call.
pub(crate) fn step(number: u64) -> Value {
    let params = json!({ "progressToken": "steps", "progress": number });
    json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params })
}

impl Scripted {
    /// Lets what waits at a gate go on, so many times.
    pub(crate) fn release(&self, gate: &str, times: u64) {
        self.shared.conversation.gate(gate).add_permits(usize::try_from(times).unwrap());
    }

    /// `true` once everything that was released has gone through the gate.
    pub(crate) fn is_taken(&self, gate: &str) -> bool {
        self.shared.conversation.gate(gate).available_permits() == 0
    }

    /// How many listen to what this service says by itself.
    pub(crate) fn ears(&self) -> usize {
        self.shared.conversation.said.receiver_count()
    }

    /// Says something by itself.
    pub(crate) fn say(&self, message: &Value) {
        self.shared.conversation.said.send(event(message)).expect("somebody listens");
    }

    /// Says something by itself, whether somebody listens or not.
    pub(crate) fn mutter(&self, message: &Value) {
        let _ = self.shared.conversation.said.send(event(message));
    }

    /// The answers to its questions that reached this service, in order.
    pub(crate) fn answers(&self) -> Vec<Value> {
        let bodies = self.seen().into_iter().map(|seen| serde_json::from_slice(&seen.body).unwrap_or(Value::Null));
        bodies.filter(|message| message["method"].is_null() && !message["id"].is_null()).collect()
    }

    /// Takes an answer to a question.
    pub(super) fn take_answer(&self, seen: &Seen, message: &Value) -> Response<Body> {
        let asked = message["id"].as_u64().map(|id| (inner_id(seen), id));
        if let Some(waiting) = asked.and_then(|asked| self.shared.conversation.open.lock().unwrap().remove(&asked)) {
            let _ = waiting.send(message.clone());
        }
        status(StatusCode::ACCEPTED)
    }

    /// A stream that says nothing but what the test has the service say, and never ends.
    pub(super) fn listen(&self, greets: bool) -> Response<Body> {
        let running = self.begin();
        let greeting = stream::iter(greets.then(|| Ok::<_, BoxError>(event(&log("listening")))));
        let said = self.shared.conversation.said.subscribe();
        let forever = stream::unfold((said, running), |(mut said, running)| async {
            let message = said.recv().await.ok()?;
            Some((Ok(message), (said, running)))
        });
        event_stream(Body::from_stream(greeting.chain(forever)))
    }

    /// `steps` notifications, the first at once and each other, and the result, when the gate is opened for it.
    pub(super) fn step_by_step(&self, id: Value, params: &Value) -> Response<Body> {
        let (service, gate) = (self.clone(), gate_of(params));
        let steps = params["steps"].as_u64().expect("a number of steps");
        let running = Arc::new(self.begin());
        let said = stream::iter(1..=steps + 1).then(move |number| {
            let (service, gate, id, running) = (service.clone(), gate.clone(), id.clone(), Arc::clone(&running));
            async move {
                if number > 1 {
                    service.shared.conversation.wait_at(&gate).await;
                }
                Ok::<_, BoxError>(service.step_or_result(number, steps, &id, &running))
            }
        });
        event_stream(Body::from_stream(said))
    }

    fn step_or_result(&self, number: u64, steps: u64, id: &Value, running: &Running) -> Bytes {
        if number <= steps {
            return event(&step(number));
        }
        running.finish();
        event(&result(id, &json!({ "steps": steps })))
    }

    /// A notification at once, then, when the gate is opened, `count` of `size` bytes as fast as they are taken, and the
    /// result.
    pub(super) fn flood(&self, id: Value, params: &Value) -> Response<Body> {
        let (service, gate, running) = (self.clone(), gate_of(params), self.begin());
        let count = params["count"].as_u64().expect("a number of messages");
        let size = usize::try_from(params["size"].as_u64().expect("their size")).unwrap();
        let first = stream::once(async { Ok::<_, BoxError>(event(&step(0))) });
        let opened = stream::once(async move {
            service.shared.conversation.wait_at(&gate).await;
            stream::iter(1..=count).map(move |number| {
                let mut message = step(number);
                message["params"]["message"] = "x".repeat(size).into();
                Ok(event(&message))
            })
        });
        let last = stream::once(async move {
            running.finish();
            Ok(event(&result(&id, &json!({ "count": count }))))
        });
        event_stream(Body::from_stream(first.chain(opened.flatten()).chain(last)))
    }

    /// Asks the client, and answers with what the client said. Told to be `impatient`, it goes on without an answer when the
    /// gate is opened, and withdraws the question first if it `withdraws`.
    pub(super) fn ask(&self, seen: &Seen, id: Value, params: &Value) -> Response<Body> {
        let (service, running, session) = (self.clone(), self.begin(), inner_id(seen));
        let (gate, withdraws) = (gate_of(params), params["withdraws"] == true);
        let is_impatient = withdraws || params["impatient"] == true;
        let (number, answer) = service.open_question(session);
        let first = stream::once(async move { Ok::<_, BoxError>(event(&question(number))) });
        let last = stream::once(async move {
            let outcome = if is_impatient {
                service.shared.conversation.wait_at(&gate).await;
                json!({ "gave up": true })
            } else {
                json!({ "answer": answer.await.expect("the question stays open") })
            };
            running.finish();
            let withdrawal = withdraws.then(|| event(&withdrawal(number)));
            stream::iter(withdrawal.into_iter().chain([event(&result(&id, &outcome))])).map(Ok)
        });
        event_stream(Body::from_stream(first.chain(last.flatten())))
    }

    fn open_question(&self, session: String) -> (u64, oneshot::Receiver<Value>) {
        let conversation = &self.shared.conversation;
        let mut asked = conversation.asked.lock().unwrap();
        let next = asked.entry(session.clone()).or_default();
        let number = *next;
        *next += 1;
        let (sender, answer) = oneshot::channel();
        conversation.open.lock().unwrap().insert((session, number), sender);
        (number, answer)
    }
}

/// A question as the service asks it, the `number`th of an inner session; its progress token is a number too.
pub(crate) fn question(number: u64) -> Value {
    let params = json!({ "message": "how many?", "_meta": { "progressToken": 1000 + number } });
    json!({ "jsonrpc": "2.0", "id": number, "method": "elicitation/create", "params": params })
}

fn withdrawal(number: u64) -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": number } })
}
