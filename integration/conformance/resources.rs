//! The resources the suite reads.

use rmcp::{
    ErrorData,
    model::{ReadResourceResult, Resource, ResourceContents, ResourceTemplate},
};
use serde_json::json;

use crate::media;

const TEXT: &str = "test://static-text";
const BINARY: &str = "test://static-binary";
const WATCHED: &str = "test://watched-resource";
const TEMPLATE: &str = "test://template/{id}/data";

pub(crate) fn list() -> Vec<Resource> {
    vec![
        resource(TEXT, "Static text", "Always the same text.", "text/plain"),
        resource(BINARY, "Static picture", "Always the same picture.", "image/png"),
        resource(WATCHED, "Watched resource", "One to subscribe to.", "text/plain"),
    ]
}

fn resource(uri: &str, name: &str, description: &str, mime_type: &str) -> Resource {
    Resource::new(uri, name).with_description(description).with_mime_type(mime_type)
}

pub(crate) fn templates() -> Vec<ResourceTemplate> {
    vec![
        ResourceTemplate::new(TEMPLATE, "Resource by id")
            .with_description("A resource that repeats its id.")
            .with_mime_type("application/json"),
    ]
}

pub(crate) fn read(uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let contents = match uri {
        TEXT => text(uri, "This is the content of the static text resource."),
        BINARY => ResourceContents::blob(media::PNG, uri).with_mime_type("image/png"),
        WATCHED => text(uri, "This is the content of the watched resource."),
        _ => templated(uri)
            .ok_or_else(|| ErrorData::resource_not_found("Resource not found", Some(json!({ "uri": uri }))))?,
    };
    Ok(ReadResourceResult::new(vec![contents]))
}

fn text(uri: &str, text: &str) -> ResourceContents {
    ResourceContents::text(text, uri).with_mime_type("text/plain")
}

/// The resource at a URI made from [`TEMPLATE`].
fn templated(uri: &str) -> Option<ResourceContents> {
    let (before, after) = TEMPLATE.split_once("{id}")?;
    let id = uri.strip_prefix(before)?.strip_suffix(after)?;
    let body = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
    Some(ResourceContents::text(body.to_string(), uri).with_mime_type("application/json"))
}
