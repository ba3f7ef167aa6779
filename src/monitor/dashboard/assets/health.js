// What only `health` tells: the hours, the clients, and what whoever looks may do.

import { Refused } from './api.js';
import { byId, write } from './dom.js';
import { AGES } from './query.js';

/** How often it is asked for, and how soon after something happened. */
const OFTEN_MS = 30_000;
const SOON_MS = 3_000;

export class Health {
	/** @param {import('./api.js').Api} api @param {(answer: any) => void} told */
	constructor(api, told) {
		this.#api = api;
		this.#told = told;
	}

	#api;
	#told;
	#timer = 0;
	#due = Infinity;
	access = { role: '', may_terminate: false, reconnect: false, bearer: false };

	askSoon() {
		this.#later(SOON_MS);
	}

	/** Unless it is asked before. @param {number} ms */
	#later(ms) {
		const at = Date.now() + ms;
		if (this.#due <= at) return;
		clearTimeout(this.#timer);
		this.#due = at;
		this.#timer = window.setTimeout(() => this.ask(), ms);
	}

	async ask() {
		clearTimeout(this.#timer);
		this.#due = Infinity;
		try {
			const answer = await this.#api.health();
			this.access = answer.access;
			const { healthy_ms: healthy, stale_ms: stale } = answer.age_limits;
			Object.assign(AGES, { healthy, stale });
			byId('problem').hidden = true;
			this.#showAccess();
			this.#told(answer);
		} catch (error) {
			this.#explain(error);
		}
		if (document.visibilityState === 'visible') this.#later(OFTEN_MS);
	}

	/** @param {any} error */
	#explain(error) {
		// Whether the server is there at all, and lets us in, the indicator says.
		if (!(error instanceof Refused) || error.status === 401 || error.status === 403) return;
		write(byId('problem'), `The counts of the last 24 hours cannot be had: ${error.message}`);
		byId('problem').hidden = false;
	}

	#showAccess() {
		const { role, may_terminate: mayEnd, reconnect, bearer } = this.access;
		const badge = byId('read-only');
		badge.hidden = mayEnd || reconnect;
		badge.title = role === 'admin' ? 'Nobody may act here: allow_terminate(true) changes that.' : 'You may look, and not act.';
		byId('sign-in').hidden = !bearer;
		write(byId('sign-in'), this.#api.token ? 'Signed in' : 'Sign in');
	}
}
