"""The script with the Python SDK's low-level server, which leaves schemas as they are."""

from mcp import types
from mcp.server import Server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, PromptsListChanged, ToolsListChanged
from mcp.shared.message import ServerMessageMetadata

from py.server.events import Events
from py.server.script import HANDLERS, takes

_CHANGED = {"tools": ToolsListChanged, "prompts": PromptsListChanged}
_RESULTS = {
    "tools/list": types.ListToolsResult,
    "tools/call": types.CallToolResult,
    "prompts/list": types.ListPromptsResult,
    "prompts/get": types.GetPromptResult,
    "resources/list": types.ListResourcesResult,
    "resources/templates/list": types.ListResourceTemplatesResult,
    "resources/read": types.ReadResourceResult,
    "completion/complete": types.CompleteResult,
}
_QUESTIONS = {
    "sampling/createMessage": (types.CreateMessageRequest, types.CreateMessageResult),
    "elicitation/create": (types.ElicitRequest, types.ElicitResult),
}


def app(host):
    """The ASGI application, at /mcp."""
    bus = InMemorySubscriptionBus()
    server = Server("script", version="1", get_tool_input_schema=takes, on_subscriptions_listen=ListenHandler(bus))
    for method, handle in HANDLERS.items():
        result_type = _RESULTS.get(method, types.EmptyResult)
        server.add_request_handler(method, types.RequestParams, _handler(handle, result_type, bus))
    return server.streamable_http_app(event_store=Events(), retry_interval=100, host=host)


def _handler(handle, result_type, bus):
    async def handler(context, _params):
        result = await handle(context.params or {}, Call(context, bus))
        is_question = result.get("resultType") == "input_required"
        return (types.InputRequiredResult if is_question else result_type).model_validate(result)

    return handler


class Call:
    """What a handler can do while a request lasts."""

    def __init__(self, context, bus):
        self._context = context
        self._bus = bus
        params = context.params or {}
        self.answers = params.get("inputResponses") or {}
        self.state = params.get("requestState")
        capabilities = context.session.client_capabilities
        self.capabilities = capabilities.model_dump(by_alias=True, exclude_none=True) if capabilities else {}

    async def log(self, text):
        await self._context.session.send_log_message("info", text, related_request_id=self._context.request_id)

    async def progress(self, percent):
        await self._context.session.report_progress(percent, 100)

    async def changed(self, changed):
        await self._bus.publish(_CHANGED[changed]())

    async def hang_up(self):
        if self._context.close_sse_stream:
            await self._context.close_sse_stream()

    async def ask(self, question):
        request, result = _QUESTIONS[question["method"]]
        belongs_here = ServerMessageMetadata(related_request_id=self._context.request_id)
        answer = await self._context.session.send_request(request.model_validate(question), result, metadata=belongs_here)
        return answer.model_dump(by_alias=True, mode="json", exclude_none=True)
