"""Waiting for something to become true, and no longer than that."""

import asyncio
import time


async def within(seconds, probe):
    """Whether `probe` becomes true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not await probe():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.005)
    return True
