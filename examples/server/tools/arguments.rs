//! What the tools take. The field docs become the descriptions in each tool's input schema.

use rmcp::schemars::{self, JsonSchema};
use serde::Deserialize;

/// What `echo` takes.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Echo {
    /// What to say back.
    pub text: String,
}

/// What `add` takes.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Add {
    pub a: i64,
    pub b: i64,
}

/// What `note_put` takes.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Note {
    /// The note's name.
    pub name: String,
    /// What to remember under it.
    pub value: String,
}

/// What `note_get` takes.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct NoteName {
    /// The note's name.
    pub name: String,
}

/// What `countdown` takes.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Countdown {
    /// How many steps to count.
    pub from: u32,
    /// The time each step takes, in milliseconds.
    pub interval_ms: u64,
}

/// What `ask` takes.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Ask {
    /// The question for whoever sits at the client.
    pub question: String,
}
