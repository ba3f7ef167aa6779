// The events of one session's streams, kept for a client that comes back to one.

export class Events {
  #events = [];

  async storeEvent(stream, message) {
    this.#events.push({ stream, message });
    return `${stream}:${this.#events.length}`;
  }

  async getStreamIdForEventId(id) {
    return this.#events[place(id) - 1]?.stream;
  }

  async replayEventsAfter(id, { send }) {
    const stream = await this.getStreamIdForEventId(id);
    for (const [index, event] of this.#events.entries()) {
      // A message of nothing primes the stream and is not repeated.
      const isMissing = event.stream === stream && index >= place(id) && Object.keys(event.message).length > 0;
      if (isMissing) await send(`${stream}:${index + 1}`, event.message);
    }
    return stream;
  }
}

function place(id) {
  return Number(id.slice(id.lastIndexOf(':') + 1));
}
