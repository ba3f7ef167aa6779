"""What a client keeps of its session on disk, so that the next process of the same client finds it."""

import json
import os
from pathlib import Path

_NAMES = {"id": "mcp-session-id", "token": "mcp-reconnect-token"}


class Wallet:
    """A file with the newest session id and the newest reconnect token that any answer named."""

    def __init__(self, path):
        self._path = Path(path)
        self._held = json.loads(self._path.read_text()) if self._path.exists() else {}

    def carry(self, client):
        """Makes an HTTP client show the token at `initialize`, and keep what answers bring."""
        client.event_hooks["request"].append(self._show)
        client.event_hooks["response"].append(self._keep)

    async def _show(self, request):
        if "token" in self._held and _is_initialize(request):
            request.headers[_NAMES["token"]] = self._held["token"]

    async def _keep(self, response):
        news = {name: response.headers[header] for name, header in _NAMES.items() if header in response.headers}
        if not news:
            return
        self._held.update(news)
        # Renamed into place: a process that is killed here leaves the old file or the new one.
        fresh = self._path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(self._held))
        os.replace(fresh, self._path)


def _is_initialize(request):
    return request.method == "POST" and json.loads(request.content).get("method") == "initialize"
