//! Tools that return one kind of content each.

use std::time::Duration;

use rmcp::{
    handler::server::wrapper::Parameters,
    model::{CallToolResult, ContentBlock, ResourceContents},
    schemars::{self, JsonSchema},
    tool, tool_router,
};
use serde::Deserialize;

use super::says;
use crate::{media, server::ConformanceServer};

#[derive(Deserialize, JsonSchema)]
struct Greet {
    /// Whom to greet.
    name: String,
}

#[tool_router(router = content_tools, vis = "pub(super)")]
impl ConformanceServer {
    /// Returns a text.
    #[tool]
    fn test_simple_text() -> CallToolResult {
        says("This is a simple text response for testing.")
    }

    /// Returns a greeting.
    #[tool]
    fn greet(Parameters(Greet { name }): Parameters<Greet>) -> CallToolResult {
        says(format!("Hello, {name}!"))
    }

    /// Returns a picture.
    #[tool]
    fn test_image_content() -> CallToolResult {
        CallToolResult::success(vec![media::picture()])
    }

    /// Returns a sound.
    #[tool]
    fn test_audio_content() -> CallToolResult {
        CallToolResult::success(vec![media::sound()])
    }

    /// Returns a resource.
    #[tool]
    fn test_embedded_resource() -> CallToolResult {
        CallToolResult::success(vec![ContentBlock::embedded_text(
            "test://embedded-resource",
            "This is an embedded resource content.",
        )])
    }

    /// Returns a text, a picture and a resource.
    #[tool]
    fn test_multiple_content_types() -> CallToolResult {
        let resource = ResourceContents::text(r#"{"test":"data","value":123}"#, "test://mixed-content-resource")
            .with_mime_type("application/json");
        CallToolResult::success(vec![
            ContentBlock::text("Multiple content types test:"),
            media::picture(),
            ContentBlock::resource(resource),
        ])
    }

    /// Fails, as tools do: with a result that says so.
    #[tool]
    fn test_error_handling() -> CallToolResult {
        CallToolResult::error(vec![ContentBlock::text("This tool intentionally returns an error for testing")])
    }

    /// Takes its time, so that a client can lose its connection meanwhile.
    #[tool]
    async fn test_reconnection() -> CallToolResult {
        tokio::time::sleep(Duration::from_millis(400)).await;
        says("Took its time")
    }
}
