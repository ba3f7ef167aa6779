"""Below the SDK's HTTP client: a POST that is cut off is the failure of one call, and not the end of the client.

mcp 1.x gives up all its tasks when a POST fails, mcp 2.x when a connection breaks. A program that wants its session to outlive
a replica has to put something like this below them.
"""

import json

from py.generation import http

_CUT_OFF = (http.TransportError, http.StreamError)


def survive(client, interrupted):
    """Makes an HTTP client survive; `interrupted(what, why)` is told of what was sent again."""
    client._transport = _Survivor(client._transport, interrupted)


class _Survivor(http.AsyncBaseTransport):
    def __init__(self, inner, interrupted):
        self._inner = inner
        self._interrupted = interrupted

    async def handle_async_request(self, request):
        if request.method != "POST":
            return await self._inner.handle_async_request(request)
        message = json.loads(request.content)
        try:
            return await self._whole(request)
        except _CUT_OFF as error:
            why = repr(error)
        if "id" in message and "method" in message:
            error = {"code": -32000, "message": f"the connection broke: {why}"}
            return http.Response(200, json={"jsonrpc": "2.0", "id": message["id"], "error": error})
        self._interrupted(message.get("method", "an answer"), why)
        return await self._inner.handle_async_request(request)

    async def _whole(self, request):
        """The response; all of it, unless it is a stream."""
        response = await self._inner.handle_async_request(request)
        if response.status_code >= 500:
            await response.aread()
            raise http.TransportError(f"status {response.status_code}: {response.text}")
        if response.headers.get("content-type", "").startswith("application/json"):
            await response.aread()
        return response

    async def aclose(self):
        await self._inner.aclose()
