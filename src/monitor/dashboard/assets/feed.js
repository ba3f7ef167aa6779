// The live feed: the best transport that works, the next one while it does not, and the better one again as soon as it does.
// A delta is taken only by who stands where it begins; anybody else asks again.

import { openPolling, openSocket, openStream } from './transports.js';

/** @typedef {import('./model.js').Update} Update */
/** @typedef {import('./transports.js').World} World */
/** @typedef {import('./transports.js').Link} Link */
/** @typedef {import('./transports.js').End} End */

/** The best first. */
const LADDER = [openSocket, openStream, openPolling];
export const TRANSPORTS = ['WebSocket', 'SSE', 'polling'];
const POLLING = 2;

/** After this time without a word from the server, what is shown is called stale. */
const STALE_MS = 15_000;
/** Between attempts when nothing works, and between those to climb up again. */
const RETRY = { first: 500, most: 10_000 };
const CLIMB = { first: 3_000, most: 60_000 };
/** A link that ends sooner than this did not work well. */
const STEADY_MS = 5_000;

/** Close codes of the protocol from here on mean: do not come back. */
const FINAL = 4500;
const DENIED = [401, 403, 4501, 4502];
const STORE_AWAY = [503, 4004];

/** @typedef {'connecting' | 'live' | 'polling' | 'degraded' | 'reconnecting' | 'stale' | 'denied'} StatusName */

export class Feed {
	/**
	 * @param {World} world
	 * @param {{onUpdate: (update: Update) => void, onStatus: () => void}} told
	 */
	constructor(world, told) {
		this.#world = world;
		this.#told = told;
	}

	#world;
	#told;
	/** @type {string | null} */
	#cursor = null;
	/** @type {Link | null} */
	#link = null;
	/** @type {Link | null} A better one that is being tried. */
	#better = null;
	/** Where on the ladder the link is. */
	#level = 0;
	#isOpen = false;
	#openedAt = 0;
	/** @type {any} */
	#timer = null;
	/** @type {any} */
	#climbTimer = null;
	#failures = 0;
	#climbs = 0;
	#strayed = 0;
	#denied = false;
	#storeAway = false;
	#socketBarred = false;
	#heardAt = 0;

	start() {
		this.stop();
		this.#denied = this.#socketBarred = false;
		this.#failures = this.#climbs = 0;
		this.#open(0);
	}

	stop() {
		this.#link?.close();
		this.#better?.close();
		this.#link = this.#better = null;
		this.#isOpen = false;
		this.#world.never(this.#timer);
		this.#world.never(this.#climbTimer);
		this.#timer = this.#climbTimer = null;
	}

	/** Somebody looks, or the network is back: what waits is done at once. */
	wake() {
		if (this.#timer !== null) this.#open(this.#level);
		else this.#link?.wake?.();
	}

	/** @returns {{name: StatusName, transport: string, silentMs: number}} */
	status() {
		const silentMs = this.#heardAt ? this.#world.now() - this.#heardAt : 0;
		return { name: this.#name(silentMs), transport: TRANSPORTS[this.#level], silentMs };
	}

	/** @param {number} silentMs @returns {StatusName} */
	#name(silentMs) {
		if (this.#denied) return 'denied';
		if (this.#storeAway) return 'degraded';
		if (this.#isOpen) return this.#level === POLLING ? 'polling' : 'live';
		if (!this.#heardAt) return this.#failures ? 'reconnecting' : 'connecting';
		return silentMs > STALE_MS ? 'stale' : 'reconnecting';
	}

	/** @param {number} level @param {boolean} [again] After it made way for a better one that is none: no news yet */
	#open(level, again = false) {
		this.#world.never(this.#timer);
		this.#timer = null;
		this.#link?.close();
		this.#level = Math.max(level, this.#best());
		this.#isOpen &&= again;
		const listener = this.#listener({
			onOpen: () => this.#opened(),
			onEnd: (end) => this.#ended(end),
		});
		this.#link = LADDER[this.#level](this.#world, listener);
		this.#told.onStatus();
	}

	/** @param {{onAsk?: () => void, onOpen: () => void, onEnd: (end: End) => void}} own */
	#listener(own) {
		return {
			onAsk: () => {},
			cursor: () => this.#cursor,
			onContact: () => {
				this.#heardAt = this.#world.now();
			},
			onUpdate: (/** @type {Update} */ update) => this.#take(update),
			...own,
		};
	}

	#opened() {
		this.#isOpen = true;
		this.#openedAt = this.#world.now();
		if (this.#level > this.#best()) this.#climbLater();
		else this.#climbs = 0;
		this.#told.onStatus();
	}

	/** @param {Update} update */
	#take(update) {
		const begins = update.mode === 'snapshot' && update.from === null;
		if (!begins && update.from !== this.#cursor) return this.#resync();
		this.#strayed = 0;
		this.#cursor = update.to;
		const wasAway = this.#storeAway;
		this.#storeAway = update.state === 'degraded';
		this.#told.onUpdate(update);
		if (wasAway !== this.#storeAway) this.#told.onStatus();
	}

	/** Something was missed: asked again from where we stand; if that leads nowhere, from the beginning. */
	#resync() {
		this.#strayed += 1;
		if (this.#strayed > 1) this.#cursor = null;
		this.#open(this.#level);
	}

	/** @param {End} end */
	#ended(end) {
		const { code = 0 } = end;
		const worked = this.#isOpen && this.#world.now() - this.#openedAt > STEADY_MS;
		const wasOpen = this.#isOpen;
		this.#link = null;
		this.#isOpen = false;
		this.#storeAway = STORE_AWAY.includes(code);
		if (DENIED.includes(code) && this.#isRefusal(code)) return this.#deny();
		if (code >= FINAL && code < 5000) this.#socketBarred = true;
		if (worked) this.#failures = 0;
		this.#failures += 1;
		const comesBack = wasOpen && this.#failures <= 3;
		if (comesBack) this.#openLater(this.#level, end.retryMs ?? this.#backoff(RETRY, this.#failures));
		else if (this.#level < POLLING) this.#openLater(this.#level + 1, 0);
		else this.#openLater(0, this.#backoff(RETRY, this.#failures));
		this.#told.onStatus();
	}

	/** A proxy may refuse a transport with a 403; the last word has the last of them. @param {number} code */
	#isRefusal(code) {
		return code >= FINAL || this.#level === POLLING;
	}

	#deny() {
		this.stop();
		this.#denied = true;
		this.#told.onStatus();
	}

	/** @param {number} level @param {number} ms */
	#openLater(level, ms) {
		this.#level = level;
		this.#world.never(this.#climbTimer);
		this.#better?.close();
		this.#better = null;
		this.#timer = this.#world.later(() => this.#open(level), ms);
	}

	#climbLater() {
		this.#world.never(this.#climbTimer);
		this.#climbs += 1;
		this.#climbTimer = this.#world.later(() => this.#climb(this.#best()), this.#backoff(CLIMB, this.#climbs));
	}

	/** The best that may be tried. */
	#best() {
		return this.#socketBarred ? 1 : 0;
	}

	/** Tries a better transport while this one goes on; it stops when the better one asks. @param {number} level */
	#climb(level) {
		let asked = false;
		const listener = this.#listener({
			onAsk: () => {
				asked = true;
				this.#link?.close();
				this.#link = null;
			},
			onOpen: () => {
				this.#link = this.#better;
				this.#better = null;
				this.#level = level;
				this.#climbs = 0;
				this.#opened();
			},
			onEnd: (end) => {
				if (this.#better === null && this.#isOpen) return this.#ended(end);
				this.#better = null;
				// With its opening comes the next climb.
				if (asked) this.#open(this.#level, true);
				if (level + 1 < this.#level) this.#climb(level + 1);
				else if (!asked) this.#climbLater();
			},
		});
		this.#better = LADDER[level](this.#world, listener);
	}

	/** Doubles each time; the jitter keeps many pages from coming at once. @param {{first: number, most: number}} bounds @param {number} times */
	#backoff({ first, most }, times) {
		const full = Math.min(most, first * 2 ** (times - 1));
		return full * (0.5 + this.#world.random() / 2);
	}
}
