//! The MCP tool `reconnect_session`: listed beside the inner service's own tools, and answered by the layer.

use std::sync::Arc;

use http::request::Parts;
use http::{Response, StatusCode, header};

use super::{Exchange, Outcome, detached};
use crate::audit::ReconnectDoor;
use crate::body::{ResponseBody, read_whole};
use crate::engine::attempt::Attempt;
use crate::engine::inner_stream;
use crate::engine::reconnect::Named;
use crate::inner::{Failure, InnerService};
use crate::protocol::message::{Method, RequestId};
use crate::protocol::{bom, headers};
use crate::reconnect::asked::Presented;
use crate::reconnect::tool::{self, ToolCall};
use crate::rejection::Rejection;
use crate::stream::edit;

/// Longest list of tools that is looked into.
const LIMIT: usize = 4 << 20;

impl<S: InnerService> Exchange<S> {
    /// A call of the layer's own tool, where that is on.
    pub(super) fn own_tool_call(&self, method: Method, body: &[u8]) -> Option<ToolCall> {
        let is_open = method == Method::ToolsCall && self.engine.config.reconnect_tool;
        if is_open { tool::arguments(body) } else { None }
    }

    /// Acts on the session named, never on the caller's. A client that leaves does not cut it short.
    pub(super) async fn reconnect_by_tool(self, parts: &Parts, id: &RequestId, call: ToolCall) -> Outcome<S> {
        let attempt = Attempt::begin(&self.engine, ReconnectDoor::Tool, self.principal.clone(), parts);
        let named = call.session.map_or(Named::Unreadable, Named::This);
        let presented = call.token.map_or(Presented::Unreadable, Presented::Token);
        let engine = Arc::clone(&self.engine);
        let reconnecting =
            async move { engine.reconnect(attempt, presented, &named, None).await.map_err(Failure::from) };
        let renewed = detached(&self.engine, reconnecting).await?;
        let object = serde_json::to_value(renewed).expect("text and numbers are JSON");
        let mut response = Response::new(ResponseBody::whole(tool::answer(id, &object)));
        headers::make_json(response.headers_mut());
        Ok(response)
    }

    /// Puts the layer's own tool into the inner service's list, where that is on.
    pub(super) async fn list_own_tool(
        &self,
        answer: Response<ResponseBody>,
    ) -> Result<Response<ResponseBody>, Rejection> {
        if inner_stream::is_event_stream(&answer) {
            return Ok(answer.map(|body| edit::events(body, tool::list)));
        }
        if answer.status() != StatusCode::OK || headers::is_encoded(answer.headers()) {
            return Ok(answer);
        }
        let (mut head, body) = answer.into_parts();
        let body = read_whole(body, LIMIT).await.map_err(|_| Rejection::InnerAnswerUnreadable)?;
        let body = bom::strip(body);
        let body = tool::list(&body).unwrap_or(body);
        head.headers.remove(header::CONTENT_LENGTH);
        Ok(Response::from_parts(head, ResponseBody::whole(body)))
    }
}
