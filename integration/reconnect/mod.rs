//! A session goes to whoever shows its token, through any door of any replica: once, to its own principal, and the holder
//! before is out.

mod adopted;
mod audit;
mod clock_back;
mod clocks;
mod deployment;
mod doors;
mod faults;
mod first_wins;
mod forge;
mod handshakes;
mod late;
mod limits;
mod lives;
mod old_holder;
mod outcomes;
mod principals;
mod recorded;
mod rotation;
mod secrecy;
mod tokens;
mod tool;

use http::StatusCode;
use serde_json::{Value, json};
use tower_mcp_sessions::{RateLimits, ReconnectKeys, SessionLayerBuilder};

use crate::harness::backend::Backend;
use crate::harness::raw::{Client, RECONNECT_TOKEN, SESSION_ID, Session, VERSION, Whole};
use crate::harness::raw::{initialize, notification, request};
use crate::harness::replica::Replica;
use crate::harness::trio::Trio;

const REVISION: &str = "2025-11-25";

const TOKEN_MEMBER: &str = "tower-mcp-sessions/reconnectToken";
const NONCE_MEMBER: &str = "tower-mcp-sessions/reconnectNonce";

const KID: &str = "first";
const SECRET: &[u8] = b"of the integration tests, 32 bytes at least";

fn keys() -> ReconnectKeys {
    ReconnectKeys::new(KID, SECRET).expect("a good key")
}

/// A layer with all doors open and no limits.
fn open_doors(builder: SessionLayerBuilder) -> SessionLayerBuilder {
    builder.reconnect(keys()).reconnect_tool(true).rate_limits(RateLimits::off())
}

async fn trio(backend: Backend) -> Trio {
    Trio::with_monitor(backend, |_, builder| open_doors(builder)).await
}

/// Where a token can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    /// `initialize`, in a header.
    Header,
    /// `initialize`, in `_meta`.
    Meta,
    Api,
    /// The MCP tool, called in a session of its own.
    Tool,
}

impl Door {
    const ALL: [Self; 4] = [Self::Header, Self::Meta, Self::Api, Self::Tool];

    /// Shows a token for a session at this door of the client's replica. A nonce is what the client sends as a header.
    async fn knock(self, client: &Client, key: &str, token: &str) -> Whole {
        match self {
            Self::Header => client.with(RECONNECT_TOKEN, token).post(&initialize(REVISION)).await.whole().await,
            Self::Meta => {
                let mut message = initialize(REVISION);
                message["params"]["_meta"] = json!({ TOKEN_MEMBER: token, "kept": true });
                client.post(&message).await.whole().await
            }
            Self::Api => api(client, key, "reconnect").post(&json!({ "token": token })).await.whole().await,
            Self::Tool => {
                let caller = client.open(REVISION).await;
                call_tool(&caller, &json!({ "session_id": key, "reconnect_token": token })).await
            }
        }
    }

    /// What a client is told that got in.
    fn renewed(self, answer: &Whole) -> (String, String) {
        assert_eq!(answer.status, StatusCode::OK, "{self:?}: {}", answer.text());
        let secrets = match self {
            Self::Header | Self::Meta => (answer.session_id(), answer.reconnect_token()),
            Self::Api => secrets_in(&answer.json()),
            Self::Tool => secrets_in(&answer.json()["result"]["structuredContent"]),
        };
        (secrets.0.expect("a new id"), secrets.1.expect("a new token"))
    }

    /// How an attempt ended, by status and name.
    fn outcome(self, answer: &Whole) -> (u16, String) {
        let json = answer.json();
        let told = match self {
            Self::Header | Self::Meta | Self::Tool => &json["error"]["data"]["outcome"],
            Self::Api => &json["outcome"],
        };
        let name = if answer.status == StatusCode::OK { "reconnected" } else { told.as_str().unwrap_or("") };
        (answer.status.as_u16(), name.to_owned())
    }
}

fn secrets_in(object: &Value) -> (Option<String>, Option<String>) {
    let text = |name: &str| object[name].as_str().map(str::to_owned);
    (text("mcp_session_id"), text("reconnect_token"))
}

/// The client at a route of the session's in the monitor.
fn api(client: &Client, key: &str, what: &str) -> Client {
    client.without(SESSION_ID).at_path(format!("/api/mcp/sessions/{key}/{what}"))
}

async fn call_tool(caller: &Session, arguments: &Value) -> Whole {
    caller.call("tools/call", json!({ "name": "reconnect_session", "arguments": arguments })).await
}

/// What a client has of its session: the id, and a token for when that is lost.
#[derive(Clone)]
struct Holder {
    session: Session,
    token: String,
}

impl Holder {
    async fn open(client: &Client) -> Self {
        Self::accepted(client, Door::Header, &client.post(&initialize(REVISION)).await.whole().await).await
    }

    /// The client after it was answered at a door.
    async fn accepted(client: &Client, door: Door, answer: &Whole) -> Self {
        let (id, token) = door.renewed(answer);
        let client = client.with(SESSION_ID, &id).with(VERSION, REVISION);
        if matches!(door, Door::Header | Door::Meta) {
            let confirmed = client.post(&notification("notifications/initialized")).await;
            assert_eq!(confirmed.status, StatusCode::ACCEPTED);
        }
        Self { session: Session { id, client }, token }
    }

    /// Shows the token at a replica.
    async fn knock(&self, door: Door, replica: &Replica) -> Whole {
        door.knock(&self.stranger(replica), self.session.key(), &self.token).await
    }

    /// Shows the token at a replica, and is let in.
    async fn reconnect(&self, door: Door, replica: &Replica) -> Self {
        Self::accepted(&self.stranger(replica), door, &self.knock(door, replica).await).await
    }

    /// Who it is to somebody who does not see its id.
    fn stranger(&self, replica: &Replica) -> Client {
        self.session.client.without(SESSION_ID).without(VERSION).at(replica)
    }

    /// The status of an ordinary call at each replica.
    async fn statuses(&self, trio: &Trio) -> [u16; 3] {
        let mut statuses = [0; 3];
        for (status, session) in statuses.iter_mut().zip(trio.everywhere(&self.session)) {
            *status = session.status().await.as_u16();
        }
        statuses
    }

    async fn put(&self, name: &str, value: &str) {
        let put = self.session.call("session/put", json!({ "name": name, "value": value })).await;
        assert_eq!(put.json()["result"]["stored"], true);
    }

    async fn get(&self, name: &str, replica: &Replica) -> Value {
        self.session.at(replica).call("session/get", json!({ "name": name })).await.json()["result"]["value"].take()
    }
}

/// `initialize` as another program would say it.
fn introduce(client: &str, version: &str) -> Value {
    let info = json!({ "name": client, "version": "2" });
    let params = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": info });
    request(0, "initialize", params)
}
