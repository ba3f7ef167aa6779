//! What the server can do, and which file answers which method.
//!
//! Subscriptions and the log level live in the handler's memory, so only a server that keeps its handlers offers them: not a
//! stateless one, and none in the modern era, where a request is all there is.
#![expect(deprecated, reason = "2026-07-28 deprecates log levels and `resources/subscribe`; sessions of 2025 use them")]

use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, DiscoverResult, Implementation, ListResourceTemplatesResult,
    ListResourcesResult, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities,
    ServerConfig, SetLevelRequestMethod, SetLevelRequestParams, SubscribeRequestMethod, SubscribeRequestParams,
    UnsubscribeRequestMethod, UnsubscribeRequestParams,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool_handler};

use super::{ROUTER, Tools, panics, resources, session};

type Context = RequestContext<RoleServer>;

#[tool_handler(router = ROUTER)]
impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        introduction(self.stateful)
    }

    async fn discover(&self, _: Context) -> Result<DiscoverResult, ErrorData> {
        let versions = self.supported_protocol_versions().into_owned();
        Ok(DiscoverResult::from_server_info(versions, introduction(false)))
    }

    async fn call_tool(&self, request: CallToolRequestParams, context: Context) -> Result<CallToolResponse, ErrorData> {
        let tool = request.name.clone();
        panics::answered(&tool, ROUTER.call(ToolCallContext::new(self, request, context))).await
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListResourcesResult, ErrorData> {
        let listed = resources::list(session(&context)).await?;
        Ok(ListResourcesResult::with_all_items(listed))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(vec![resources::template()]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        Ok(resources::read(session(&context), &request.uri).await?.into())
    }

    async fn subscribe(&self, request: SubscribeRequestParams, context: Context) -> Result<(), ErrorData> {
        let memory = self.lasting_memory(&context).ok_or_else(ErrorData::method_not_found::<SubscribeRequestMethod>)?;
        memory.subscribe(resources::name_in(&request.uri)?);
        Ok(())
    }

    async fn unsubscribe(&self, request: UnsubscribeRequestParams, context: Context) -> Result<(), ErrorData> {
        let memory =
            self.lasting_memory(&context).ok_or_else(ErrorData::method_not_found::<UnsubscribeRequestMethod>)?;
        memory.unsubscribe(&resources::name_in(&request.uri)?);
        Ok(())
    }

    async fn set_level(&self, request: SetLevelRequestParams, context: Context) -> Result<(), ErrorData> {
        let memory = self.lasting_memory(&context).ok_or_else(ErrorData::method_not_found::<SetLevelRequestMethod>)?;
        memory.set_log_level(request.level);
        Ok(())
    }
}

/// Who the server is, and what it can do: more if its handlers remember.
fn introduction(remembers: bool) -> ServerConfig {
    let always = ServerCapabilities::builder().enable_tools().enable_resources();
    let capabilities = match remembers {
        true => always.enable_resources_subscribe().enable_resources_list_changed().enable_logging().build(),
        false => always.build(),
    };
    ServerConfig::new(capabilities)
        .with_server_info(Implementation::new("tower-mcp-sessions-server", env!("CARGO_PKG_VERSION")))
        .with_instructions("Try `whoami` first, then `note_put` and `note_get`.")
}
