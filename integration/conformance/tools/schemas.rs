//! Tools that are about their input schema.

use std::sync::Arc;

use rmcp::{
    handler::server::wrapper::Parameters,
    model::{CallToolResult, JsonObject, object},
    schemars::{self, JsonSchema},
    tool, tool_router,
};
use serde::Deserialize;
use serde_json::json;

use super::says;
use crate::server::ConformanceServer;

#[derive(Deserialize, JsonSchema)]
struct Mirrored {
    /// Also sent as the header `Mcp-Param-Region`.
    #[schemars(extend("x-mcp-header" = "Region"))]
    region: String,
}

#[tool_router(router = schema_tools, vis = "pub(super)")]
impl ConformanceServer {
    /// Takes an argument that clients repeat in a header (SEP-2243).
    #[tool]
    fn test_mirrored_header(Parameters(Mirrored { region }): Parameters<Mirrored>) -> CallToolResult {
        says(format!("Region: {region}"))
    }

    /// Has a schema full of keywords that must reach the client untouched.
    #[tool(input_schema = contact_schema())]
    fn json_schema_2020_12_tool() -> CallToolResult {
        says("Contact accepted")
    }
}

/// The schema that scenario `json-schema-2020-12` looks for.
fn contact_schema() -> Arc<JsonObject> {
    Arc::new(object(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": { "street": { "type": "string" }, "city": { "type": "string" } },
            },
        },
        "properties": {
            "name": { "type": "string" },
            "address": { "$ref": "#/$defs/address" },
            "contactMethod": { "type": "string", "enum": ["phone", "email"] },
            "phone": { "type": "string" },
            "email": { "type": "string" },
        },
        "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
        "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
        "then": { "required": ["phone"] },
        "else": { "required": ["email"] },
        "additionalProperties": false,
    })))
}
