// What a client keeps of its session on disk, so that the next process of the same client finds it.

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

const NAMES = { id: 'mcp-session-id', token: 'mcp-reconnect-token' };

/** A file with the newest session id and the newest reconnect token that any answer named. */
export class Wallet {
  #path;
  #held;

  constructor(path) {
    this.#path = path;
    this.#held = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
  }

  /** A fetch that shows the token at `initialize`, and keeps what answers bring. */
  fetch = async (input, init = {}) => {
    const response = await fetch(input, isInitialize(init) ? this.#showing(init) : init);
    this.#keep(response.headers);
    return response;
  };

  #showing(init) {
    const headers = new Headers(init.headers);
    if (this.#held.token) headers.set(NAMES.token, this.#held.token);
    return { ...init, headers };
  }

  #keep(headers) {
    const news = Object.entries(NAMES).filter(([, header]) => headers.has(header));
    if (news.length === 0) return;
    for (const [name, header] of news) this.#held[name] = headers.get(header);
    // Renamed into place: a process that is killed here leaves the old file or the new one.
    writeFileSync(`${this.#path}.new`, JSON.stringify(this.#held), { mode: 0o600 });
    renameSync(`${this.#path}.new`, this.#path);
  }
}

function isInitialize({ body }) {
  return typeof body === 'string' && JSON.parse(body).method === 'initialize';
}
