//! Messages as clients write them.

use serde_json::{Value, json};

pub(crate) fn request(id: u64, method: &str, params: impl Into<Value>) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params.into() })
}

pub(crate) fn notification(method: &str) -> Value {
    json!({ "jsonrpc": "2.0", "method": method })
}

pub(crate) fn initialize(version: &str) -> Value {
    request(
        0,
        "initialize",
        json!({
            "protocolVersion": version,
            "capabilities": { "roots": { "listChanged": true } },
            "clientInfo": { "name": "raw", "version": "1.2.3" },
        }),
    )
}

/// A modern request, complete as its revision demands.
pub(crate) fn modern(method: &str) -> Value {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    request(1, method, json!({ "_meta": meta }))
}
