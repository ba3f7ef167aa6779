// What the server says by itself, on the session's GET stream: heard in one round.

import { within } from './wait.mjs';

export const UPDATED = 'notifications/resources/updated';
export const LIST_CHANGED = 'notifications/resources/list_changed';
export const MESSAGE = 'notifications/message';

export class Notices {
  #heard = [];
  #due = new Map();

  hear({ method, params }) {
    this.#heard.push({ method, params });
  }

  /** Something was done that the server must tell of once. */
  expect(method) {
    this.#due.set(method, (this.#due.get(method) ?? 0) + 1);
  }

  /** Whether a notification is heard within `ms` whose parameters `match`. */
  heard(method, ms, match = () => true) {
    return within(ms, () => this.#of(method).some(({ params }) => match(params)));
  }

  /** How often a notification was heard so far. */
  times(method) {
    return this.#of(method).length;
  }

  /** How often a notification came too often, for each of them: [method, times]. */
  duplicates() {
    return [...this.#due].map(([method, due]) => [method, this.times(method) - due]);
  }

  #of(method) {
    return this.#heard.filter((notice) => notice.method === method);
  }
}
