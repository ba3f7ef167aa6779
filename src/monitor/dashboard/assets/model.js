// What is known of the sessions: the feed's updates applied, nothing drawn.

/** @import { Session, SessionEvent, Update } from '../types.js' */

/** How long an ended session stays where it was. */
const LINGERS_MS = 6000;

export class Model {
	constructor() {
		/** @type {Map<string, Session>} */
		this.sessions = new Map();
		/** @type {any} */
		this.stats = null;
		/** Whether all that the first snapshot tells has come. */
		this.ready = false;
		/** How far the server's clock is ahead of ours. */
		this.ahead = 0;
	}

	/** @type {Map<string, Session> | null} */
	#staged = null;
	/** @type {Map<string, number>} When the ended ones go. */
	#leaving = new Map();

	/** The server's time. @param {number} [now] */
	now(now = Date.now()) {
		return now + this.ahead;
	}

	/**
	 * @param {Update} update
	 * @returns {{reset: boolean, changed: Set<string>, events: SessionEvent[]}} what is to be drawn again
	 */
	apply(update) {
		if (update.stats) this.stats = update.stats;
		return update.mode === 'snapshot' ? this.#applyPage(update) : this.#applyDelta(update);
	}

	/** Pages are put aside until the last one is there: what is shown never shrinks to half. @param {Update} page */
	#applyPage(page) {
		if (page.from === null || !this.#staged) this.#staged = new Map();
		for (const { session } of page.events) if (session) this.#staged.set(session.session_id, session);
		this.ahead = page.at - Date.now();
		if (page.more) return { reset: false, changed: new Set(), events: [] };
		this.sessions = this.#staged;
		this.#staged = null;
		this.#leaving.clear();
		this.ready = true;
		return { reset: true, changed: new Set(this.sessions.keys()), events: [] };
	}

	/** @param {Update} update */
	#applyDelta(update) {
		this.ahead = Math.max(this.ahead, update.at - Date.now());
		/** @type {Set<string>} */
		const changed = new Set();
		/** @type {SessionEvent[]} */
		const told = [];
		for (const event of update.events) {
			if (event.session) {
				this.#change(event, event.session);
				changed.add(event.session.session_id);
			}
			if (event.type !== 'session_updated' || event.how) told.push(event);
		}
		return { reset: false, changed, events: told };
	}

	/** @param {SessionEvent} event @param {Session} session */
	#change(event, session) {
		const key = session.session_id;
		switch (event.type) {
			case 'session_terminated':
				if (!this.sessions.has(key)) return;
				this.sessions.set(key, { ...session, ended: event.reason ?? 'ended' });
				this.#leaving.set(key, Date.now() + LINGERS_MS);
				return;
			case 'session_created':
			case 'session_updated':
			case 'session_disconnected':
			case 'session_reconnected':
				this.#leaving.delete(key);
				this.sessions.set(key, session);
				return;
			default:
				// A refused reconnect changes nothing, and what later versions tell is unknown here.
				if (this.sessions.has(key) && !this.#leaving.has(key)) this.sessions.set(key, session);
		}
	}

	/** Lets those go that ended a while ago. @returns {string[]} */
	prune(now = Date.now()) {
		const gone = [...this.#leaving].filter(([, at]) => at <= now).map(([key]) => key);
		for (const key of gone) {
			this.#leaving.delete(key);
			this.sessions.delete(key);
		}
		return gone;
	}

	/** Takes in what was found on the server, beyond what the feed tells. @param {Session[]} sessions */
	take(sessions) {
		for (const session of sessions) {
			if (!this.sessions.has(session.session_id)) this.sessions.set(session.session_id, session);
		}
	}

	/** How many live ones are known here. */
	known() {
		return this.sessions.size - this.#leaving.size;
	}
}
