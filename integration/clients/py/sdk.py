"""One face for the Python SDK's generations: connect, list, call, read, hear.

mcp 2.x has a `Client` that negotiates the era; 1.x has a session over a transport and knows the legacy era only. The HTTP
exchanges are noted through the HTTP client's own hooks, because the SDK hides what matters here: it sends DELETE when
its context ends, and of the answer it only logs a warning.
"""

import asyncio
import json
import logging
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cache

from mcp import types
from mcp.shared._httpx_utils import create_mcp_http_client
from pydantic import AnyUrl

from py.generation import IS_2, VERSION
from py.survivor import survive as survive_cuts

ERAS = {"legacy": "legacy", "auto": "auto", "modern": "2026-07-28"}
CAN_ELICIT = hasattr(types, "ElicitResult")
_ID = "mcp-session-id"


class Connection:
    """An open client, whichever generation it is of."""

    def __init__(self, client, options, exchanges, protocol_version):
        self._client = client
        self._seconds = options["callTimeoutMs"] / 1000
        self.exchanges = exchanges
        self.protocol_version = protocol_version
        self.is_modern = protocol_version >= "2026"

    @property
    def session_id(self):
        ids = [one["received"] for one in self.exchanges if one["message"] == "initialize"]
        return ids[-1] if ids else None

    async def tools(self):
        return [tool.name for tool in (await self._client.list_tools()).tools]

    async def call(self, name, arguments=None, progress=None):
        """The result as it was on the wire."""
        timeout = self._seconds if IS_2 else timedelta(seconds=self._seconds)
        result = await self._client.call_tool(name, arguments or {}, timeout, progress_callback=progress)
        return result.model_dump(by_alias=True, mode="json", exclude_none=True)

    async def resources(self):
        """The URIs of all resources."""
        return [str(resource.uri) for resource in (await self._within(self._client.list_resources())).resources]

    async def read(self, uri):
        """A resource's text."""
        contents = (await self._within(self._client.read_resource(_uri(uri)))).contents
        return "".join(content.text for content in contents)

    async def subscribe(self, uri):
        await self._within(self._client.subscribe_resource(_uri(uri)))

    async def set_log_level(self, level):
        await self._within(self._client.set_logging_level(level))

    async def _within(self, request):
        """These requests know no timeout of their own."""
        async with asyncio.timeout(self._seconds):
            return await request


class _Hooks:
    """What a client is given to answer, to tell and to note."""

    def __init__(self, answer, hear, exchanges, survive, wallet):
        self.answer = answer
        self.hear = hear
        self.exchanges = [] if exchanges is None else exchanges
        self.survive = survive
        self.wallet = wallet

    def into(self, client):
        """Makes an HTTP client note its exchanges, survive those that are cut off and carry a wallet if it is to."""
        if self.survive:
            survive_cuts(client, self.survive)
        if self.wallet:
            self.wallet.carry(client)
        return _noting(client, self.exchanges)


@asynccontextmanager
async def connect(url, options, *, answer, hear=None, exchanges=None, survive=None, wallet=None):
    """Connects; the end of the context closes, which sends DELETE unless the session is to be kept.

    `answer(question)` is the answer to an elicitation, None to decline. `hear(method, params)` is told of notifications.
    `exchanges` takes the HTTP exchanges. With `survive(what, why)` a POST that is cut off fails its call alone.
    A `wallet` shows its reconnect token and keeps what it is given.
    """
    if options["era"] != "legacy" and not IS_2:
        raise ValueError(f"mcp {VERSION} speaks the legacy era only")
    hooks = _Hooks(answer, hear, exchanges, survive, wallet)
    open_client = _client_2 if IS_2 else _client_1
    async with open_client(url, options, hooks) as (client, protocol_version):
        yield Connection(client, options, hooks.exchanges, protocol_version)


@asynccontextmanager
async def _client_2(url, options, hooks):
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    async with hooks.into(create_mcp_http_client(headers=options["headers"])) as http:
        transport = streamable_http_client(url, http_client=http, terminate_on_close=not options["keep"])
        client = Client(transport, mode=ERAS[options["era"]], **_introduction(options, hooks))
        async with client:
            yield client, client.protocol_version


@asynccontextmanager
async def _client_1(url, options, hooks):
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    def http_client(**arguments):
        return hooks.into(create_mcp_http_client(**arguments))

    transport = streamablehttp_client(
        url, headers=options["headers"], terminate_on_close=not options["keep"], httpx_client_factory=http_client
    )
    async with transport as (read, write, _), ClientSession(read, write, **_introduction(options, hooks)) as client:
        initialized = await client.initialize()
        yield client, initialized.protocolVersion


def _uri(text):
    return text if IS_2 else AnyUrl(text)


def _introduction(options, hooks):
    """Who the client is, how it answers questions, and what it hears."""
    introduction = {"client_info": types.Implementation(name=options["clientName"], version=VERSION)}
    if CAN_ELICIT:
        introduction["elicitation_callback"] = _answering(hooks.answer)
    if hooks.hear:
        introduction["message_handler"] = _hearing(hooks.hear)
    return introduction


def _answering(answer):
    async def elicited(_context, params):
        text = answer(params.message)
        if text is None:
            return types.ElicitResult(action="decline")
        return types.ElicitResult(action="accept", content={"answer": text})

    return elicited


def _hearing(hear):
    async def received(message):
        notification = getattr(message, "root", message)  # mcp 1.x wraps it
        if getattr(notification, "method", "").startswith("notifications/"):
            params = notification.params.model_dump(by_alias=True, mode="json") if notification.params else {}
            hear(notification.method, params)

    return received


def _noting(client, exchanges):
    """Makes an HTTP client note method, message, status and session id of each exchange."""

    async def note(response):
        request = response.request
        exchanges.append(
            {
                "method": request.method,
                "message": _message_of(request),
                "status": response.status_code,
                "received": response.headers.get(_ID),
            }
        )

    client.event_hooks["response"].append(note)
    return client


def _message_of(request):
    if request.method != "POST":
        return None
    message = json.loads(request.content)
    return message.get("method") or ("error" if "error" in message else "result")


@cache
def _plain():
    """A client for requests that the SDK would not make. One for all: to make one takes the SDK 25 ms."""
    return create_mcp_http_client()


async def post_with(session_id, url, headers):
    """The status of a plain tools/list with this session id."""
    message = {"jsonrpc": "2.0", "id": "after-the-end", "method": "tools/list"}
    accept = {"accept": "application/json, text/event-stream", _ID: session_id}
    return (await _plain().post(url, json=message, headers={**headers, **accept})).status_code


async def delete(session_id, url, headers):
    """The status of a plain DELETE with this session id."""
    return (await _plain().delete(url, headers={**headers, _ID: session_id})).status_code


def capture_log(lines):
    """Adds what the SDK logs at warning and above to `lines`."""

    class Lines(logging.Handler):
        def emit(self, record):
            lines.append(f"{record.levelname} {record.name}: {record.getMessage()}")

    logging.getLogger().addHandler(Lines(logging.WARNING))
