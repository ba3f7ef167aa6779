//! A client whose answer is lost on the way, at whichever point, asks again with its nonce and has its session: never
//! somebody else, never twice.

mod crowd;
mod cuts;
mod kills;
mod late;

use std::mem;
use std::net::SocketAddr;

use http::StatusCode;
use serde_json::{Value, json};

use super::deployment::Deployment;
use super::{Door, Holder, NONCE_MEMBER, TOKEN_MEMBER, api};
use crate::harness::eventually::eventually;
use crate::harness::raw::{Client, RECONNECT_NONCE, RECONNECT_TOKEN, SESSION_ID, VERSION, Whole, initialize, request};
use crate::harness::wire::answer_in;

/// The doors that know a nonce.
const DOORS: [Door; 3] = [Door::Header, Door::Meta, Door::Api];

/// Who sends: of all commands about a session only the one that gives it a holder says so.
const THE_CLIENT: &str = r#""raw""#;

impl Holder {
    /// A session opened on the first replica.
    async fn open_on(deployment: &Deployment) -> Self {
        Self::open(&deployment.client(0)).await
    }

    /// Shows the token with a nonce, once, over a network that may fail; `None` if no whole answer comes.
    async fn try_once(&self, door: Door, address: SocketAddr, nonce: &str) -> Option<Whole> {
        let client = self.session.client.without(SESSION_ID).without(VERSION).at_address(address);
        match door {
            Door::Header => {
                let client = client.with(RECONNECT_TOKEN, &self.token).with(RECONNECT_NONCE, nonce);
                client.attempt(&initialize(super::REVISION)).await
            }
            Door::Meta => {
                let mut message = initialize(super::REVISION);
                message["params"]["_meta"] = json!({ TOKEN_MEMBER: self.token, NONCE_MEMBER: nonce });
                client.attempt(&message).await
            }
            Door::Api => {
                let client = api(&client, self.session.key(), "reconnect").with(RECONNECT_NONCE, nonce);
                client.attempt(&json!({ "token": self.token })).await
            }
            Door::Tool => unreachable!("the tool knows no nonce"),
        }
    }

    /// The client after it was answered at a door, with nothing sent yet.
    fn answered(&self, door: Door, answer: &Whole) -> Self {
        let (id, token) = door.renewed(answer);
        let mut session = self.session.clone();
        session.client = session.client.with(SESSION_ID, &id);
        session.id = id;
        Self { session, token }
    }

    /// The same client at another address.
    fn at(&self, address: SocketAddr) -> Client {
        self.session.client.at_address(address)
    }
}

fn call(tool: &str, arguments: &Value) -> Value {
    request(1, "tools/call", json!({ "name": tool, "arguments": arguments }))
}

/// What a tool said.
fn text_of(answer: &Whole) -> String {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let result = answer_in(answer.text())["result"].take();
    result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {result}")).to_owned()
}

async fn put_note(client: &Client, value: &str) {
    let put = client.post(&call("note_put", &json!({ "name": "note", "value": value }))).await.whole().await;
    text_of(&put);
}

async fn note(client: &Client) -> String {
    text_of(&client.post(&call("note_get", &json!({ "name": "note" }))).await.whole().await)
}

/// A session of one client, which loses the answers to its attempts one after the other.
struct Unlucky {
    deployment: Deployment,
    holder: Holder,
    attempts: u64,
}

impl Unlucky {
    async fn on(deployment: Deployment) -> Self {
        let holder = Holder::open_on(&deployment).await;
        Self { deployment, holder, attempts: 0 }
    }

    /// What marks the attempts to reconnect this time.
    fn nonce(&self) -> String {
        format!("nonce {}", self.attempts)
    }

    /// Writes down what must be found again.
    async fn prepare(&mut self, what: &str) {
        self.attempts += 1;
        let at = usize::try_from(self.attempts % 3).expect("a replica");
        put_note(&self.holder.at(self.deployment.addresses[at]), &format!("{} before {what}", self.attempts)).await;
    }

    /// The second try.
    async fn try_again(&self, door: Door, address: SocketAddr, what: &str) -> Whole {
        let answer = self.holder.try_once(door, address, &self.nonce()).await;
        answer.unwrap_or_else(|| panic!("no answer to the second try: {what}"))
    }

    /// The session must be back, with all that was in it, and be this client's alone.
    async fn is_back(&mut self, door: Door, answer: &Whole, what: &str) {
        let new = self.holder.answered(door, answer);
        let old = mem::replace(&mut self.holder, new);
        let key = self.holder.session.key();
        assert!(old.session.key() == key && old.session.id != self.holder.session.id, "{what}");
        assert_eq!(self.deployment.statuses(&self.holder.session.id).await, [200; 3], "{what}");
        assert_eq!(self.deployment.generation(key), self.attempts, "taken once: {what}");
        for address in self.deployment.addresses {
            assert_eq!(note(&self.holder.at(address)).await, format!("{} before {what}", self.attempts));
            let other = old.try_once(door, address, "another").await.expect("an answer");
            assert_eq!(door.outcome(&other), (409, "token_mismatch".to_owned()), "{what}");
        }
        let is_out = async || self.deployment.statuses(&old.session.id).await == [404; 3];
        eventually("the old id is unknown", is_out).await;
    }
}
