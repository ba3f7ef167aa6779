// A world for the feed in which the test decides what answers, and time passes when it says so.

export class World {
  #time = 1_000_000;
  #timers = [];
  visible = true;
  sockets = [];
  requests = [];

  /** What a server does with a request or a socket: the test's. */
  answer = () => new Response('', { status: 500 });

  world() {
    const self = this;
    return {
      fetch: async (url, init) => {
        self.requests.push({ url, init, at: self.#time });
        return self.answer(url, init);
      },
      WebSocket: class {
        constructor(url, protocols) {
          Object.assign(this, { url, protocols, sent: [], closed: false });
          self.sockets.push(this);
        }
        send(text) {
          this.sent.push(JSON.parse(text));
        }
        close() {
          this.closed = true;
        }
      },
      url: (path) => `http://server/mount/${path}`,
      headers: () => ({ Authorization: 'Bearer of-the-tests' }),
      token: () => 'of-the-tests',
      isVisible: () => self.visible,
      now: () => self.#time,
      random: () => 1,
      later: (run, ms) => {
        const timer = { run, at: self.#time + ms };
        self.#timers.push(timer);
        return timer;
      },
      never: (timer) => {
        self.#timers = self.#timers.filter((other) => other !== timer);
      },
    };
  }

  /** Lets time pass, and everything happen that is due. */
  async pass(ms) {
    const end = this.#time + ms;
    for (;;) {
      await settle();
      const [next] = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#time = Math.max(this.#time, next.at);
      next.run();
    }
    this.#time = end;
    await settle();
  }

  /** The socket that was opened last. */
  get socket() {
    return this.sockets.at(-1);
  }

  /** Opens it as a server does that takes everybody. */
  greet(socket = this.socket) {
    socket.onopen();
    this.say(socket, { t: 'welcome', v: 1, replica: 'a', ping_ms: 25_000, resume: true });
  }

  say(socket, frame) {
    socket.onmessage({ data: JSON.stringify(frame) });
  }
}

/** Lets promises run as far as they get. */
export async function settle() {
  for (let turn = 0; turn < 30; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export function snapshot(to, sessions = [], more = {}) {
  const events = sessions.map((session) => ({ n: 0, type: 'session_updated', at: 5, session }));
  return { t: 'update', v: 1, mode: 'snapshot', from: null, to, at: 5, events, state: 'live', ...more };
}

export function delta(from, to, events = [], more = {}) {
  return { t: 'update', v: 1, mode: 'delta', from, to, at: 5, events, state: 'live', ...more };
}

export function session(key, more = {}) {
  return {
    session_id: key,
    status: 'active',
    client_type: 'cursor',
    client_version: '1.0',
    protocol_version: '2025-11-25',
    replica: 'a',
    created_at: 1000,
    last_seen_at: 2000,
    reconnect_count: 0,
    ...more,
  };
}

/** An answer of server-sent events that stays open. */
export function stream(updates) {
  let push;
  const body = new ReadableStream({
    start(controller) {
      const encoder = new TextEncoder();
      push = {
        raw: (text) => controller.enqueue(encoder.encode(text)),
        update: (update) => controller.enqueue(encoder.encode(`id: ${update.to}\ndata: ${JSON.stringify(update)}\n\n`)),
        end: () => controller.close(),
      };
      push.raw('retry: 1000\n\n');
      updates.forEach(push.update);
    },
  });
  const answer = new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  return { answer, push };
}

export const json = (body) => new Response(JSON.stringify(body), { headers: { 'content-type': 'application/json' } });
