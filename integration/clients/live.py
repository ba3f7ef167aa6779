"""One life of a client that keeps its session on disk: the official Python SDK, which is to be killed while it calls.

    python live.py <url> <wallet> <word>

It connects, with the token in the wallet if there is one; says who it is; adds its word to the note `diary`; and then counts
down until it is killed. Two JSON objects go to stdout, one a line: {who, found, keeps} once the word is written (`found` is
the note as it was, null if there was none), {counting} at the first progress of the call.
"""

import asyncio
import json
import sys
import warnings

warnings.simplefilter("ignore")

from py import sdk  # noqa: E402
from py.wallet import Wallet  # noqa: E402


def say(**what):
    print(json.dumps(what), flush=True)


def said(result):
    return None if result.get("isError") else result["content"][0]["text"]


async def main(url, wallet, word):
    options = {
        "headers": {},
        "era": "legacy",
        "clientName": f"live-py-{sdk.VERSION}",
        "callTimeoutMs": 30_000,
        "keep": True,
    }
    begun = False

    async def progress(progress, _total, _message):
        nonlocal begun
        if not begun:
            say(counting=progress)
        begun = True

    async with sdk.connect(url, options, answer=lambda _: None, wallet=Wallet(wallet)) as connection:
        who = (await connection.call("whoami"))["structuredContent"]
        found = said(await connection.call("note_get", {"name": "diary"}))
        keeps = word if found is None else f"{found} {word}"
        await connection.call("note_put", {"name": "diary", "value": keeps})
        say(who=who, found=found, keeps=keeps)
        await connection.call("countdown", {"from": 10_000, "interval_ms": 50}, progress)


asyncio.run(main(*sys.argv[1:]))
