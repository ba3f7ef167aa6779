//! An inner service that costs next to nothing: the hardest to stand beside.

use axum::Json;
use serde_json::{Value, json};

/// Reads one message, adds two numbers.
pub async fn handler(Json(message): Json<Value>) -> Json<Value> {
    let result = if message["method"] == "initialize" {
        json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": { "name": "bench", "version": "0" } })
    } else {
        let arguments = &message["params"]["arguments"];
        let sum = arguments["a"].as_i64().unwrap_or(0) + arguments["b"].as_i64().unwrap_or(0);
        json!({ "content": [{ "type": "text", "text": sum.to_string() }] })
    };
    Json(json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }))
}
