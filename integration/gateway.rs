//! Behind the example `gateway`: MCP servers that know nothing of it, however they behave.
//!
//! | what is tried | file |
//! |---|---|
//! | what passes, both ways, unchanged | `passing.rs` |
//! | upstreams that answer wrongly, late, in part or not at all | `failing.rs`, `cutting.rs` |
//! | upstreams and clients that are gone without a word | `vanishing.rs` |
//! | upstreams that forget their sessions, or only seem to | `forgetting.rs`, `doubting.rs` |
//! | upstreams that let nobody listen, or not yet | `listening.rs` |
//! | two gateways in front of one upstream | `replicas.rs` |
//! | official SDKs of other languages, behind one gateway and behind two | `languages.rs`, `languages_on_two.rs` |
//!
//! After each misfortune the session lives on: the next good call works.

mod by_hand;
mod cutting;
mod doubting;
mod failing;
mod forgetting;
mod languages;
mod languages_on_two;
mod listening;
mod passing;
mod replicas;
mod upstream;
mod vanishing;

use reqwest::Response;
use serde_json::Value;

use crate::harness::process::{Process, token_flag};

/// A gateway in front of `upstream`, whose monitor takes the tests' token.
pub(crate) async fn gateway(upstream: &str, arguments: &[&str]) -> Process {
    Process::example("gateway", &[&["--upstream", upstream], &token_flag()[..], arguments].concat()).await
}

/// A JSON-RPC error in place of an answer.
struct Refusal {
    status: u16,
    id: Value,
    text: String,
}

impl Refusal {
    /// Reads one.
    ///
    /// # Panics
    ///
    /// If the answer is anything else.
    async fn of(response: Response) -> Self {
        let status = response.status().as_u16();
        assert_eq!(response.headers()["content-type"], "application/json", "{status}");
        let body = response.text().await.expect("a whole body");
        let message: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error} in {body:?}"));
        assert_eq!((&message["jsonrpc"], message["error"]["code"].is_i64()), (&Value::from("2.0"), true), "{body}");
        let text = message["error"]["message"].as_str().unwrap_or_else(|| panic!("no text in {body}"));
        Self { status, id: message["id"].clone(), text: text.to_owned() }
    }
}
