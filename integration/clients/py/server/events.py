"""The events of all streams, kept for a client that comes back to one."""

from mcp.server.streamable_http import EventMessage, EventStore


class Events(EventStore):
    def __init__(self):
        self._events = []

    async def store_event(self, stream_id, message):
        self._events.append((stream_id, message))
        return str(len(self._events))

    async def replay_events_after(self, last_event_id, send_callback):
        place = int(last_event_id)
        stream_id, _ = self._events[place - 1]
        for number, (stream, message) in enumerate(self._events[place:], place + 1):
            # A message of nothing primes the stream and is not repeated.
            if stream == stream_id and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream_id
