// The live feed: the best transport that works, the next one while it does not, and the better one again as soon as it does.
// A delta is taken only by who stands where it begins; anybody else asks again.

import { openPolling, openSocket, openStream } from './transports.js';

/** @import { Update } from '../types.js' */
/** @import { End, Link, World } from '../types.js' */

/** The best first. */
const LADDER = [openSocket, openStream, openPolling];
const TRANSPORTS = ['WebSocket', 'SSE', 'polling'];
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

/** @typedef {ReturnType<typeof feedOf>} Feed */

/**
 * @param {World} world
 * @param {{onUpdate: (update: Update) => void, onStatus: () => void}} told
 */
export function feedOf(world, told) {
	/** @type {string | null} */
	let cursor = null;
	/** @type {Link | null} */
	let link = null;
	/** @type {Link | null} A better one that is being tried. */
	let better = null;
	/** Where on the ladder the link is. */
	let rung = 0;
	let isOpen = false;
	let openedAt = 0;
	/** @type {any} */
	let timer = null;
	/** @type {any} */
	let climbTimer = null;
	let failures = 0;
	let climbs = 0;
	let strayed = 0;
	let denied = false;
	let storeAway = false;
	let socketBarred = false;
	let heardAt = 0;

	function start() {
		stop();
		denied = socketBarred = false;
		failures = climbs = 0;
		open(0);
	}

	function stop() {
		link?.close();
		better?.close();
		link = better = null;
		isOpen = false;
		world.never(timer);
		world.never(climbTimer);
		timer = climbTimer = null;
	}

	/** Somebody looks, or the network is back: what waits is done at once. */
	function wake() {
		if (timer !== null) open(rung);
		else link?.wake?.();
	}

	function status() {
		const silentMs = heardAt ? world.now() - heardAt : 0;
		return { name: nameOf(silentMs), transport: TRANSPORTS[rung], silentMs };
	}

	/** @param {number} silentMs @returns {StatusName} */
	function nameOf(silentMs) {
		if (denied) return 'denied';
		if (storeAway) return 'degraded';
		if (isOpen) return rung === POLLING ? 'polling' : 'live';
		if (!heardAt) return failures ? 'reconnecting' : 'connecting';
		return silentMs > STALE_MS ? 'stale' : 'reconnecting';
	}

	/** @param {number} level @param {boolean} [again] After it made way for a better one that is none: no news yet */
	function open(level, again = false) {
		world.never(timer);
		timer = null;
		link?.close();
		rung = Math.max(level, best());
		isOpen &&= again;
		link = LADDER[rung](world, listener({ onOpen: opened, onEnd: ended }));
		told.onStatus();
	}

	/** @param {{onAsk?: () => void, onOpen: () => void, onEnd: (end: End) => void}} own */
	function listener(own) {
		return {
			onAsk: () => {},
			cursor: () => cursor,
			onContact: () => {
				heardAt = world.now();
			},
			onUpdate: take,
			...own,
		};
	}

	function opened() {
		isOpen = true;
		openedAt = world.now();
		if (rung > best()) climbLater();
		else climbs = 0;
		told.onStatus();
	}

	/** @param {Update} update */
	function take(update) {
		const begins = update.mode === 'snapshot' && update.from === null;
		if (!begins && update.from !== cursor) return resync();
		strayed = 0;
		cursor = update.to;
		const wasAway = storeAway;
		storeAway = update.state === 'degraded';
		told.onUpdate(update);
		if (wasAway !== storeAway) told.onStatus();
	}

	/** Something was missed: asked again from where we stand; if that leads nowhere, from the beginning. */
	function resync() {
		strayed += 1;
		if (strayed > 1) cursor = null;
		open(rung);
	}

	/** @param {End} end */
	function ended(end) {
		const { code = 0 } = end;
		const worked = isOpen && world.now() - openedAt > STEADY_MS;
		const wasOpen = isOpen;
		link = null;
		isOpen = false;
		storeAway = STORE_AWAY.includes(code);
		// A proxy may refuse a transport with a 403: the last of them has the last word.
		if (DENIED.includes(code) && (code >= FINAL || rung === POLLING)) return deny();
		if (code >= FINAL && code < 5000) socketBarred = true;
		if (worked) failures = 0;
		failures += 1;
		const comesBack = wasOpen && failures <= 3;
		if (comesBack) openLater(rung, end.retryMs ?? backoff(RETRY, failures));
		else if (rung < POLLING) openLater(rung + 1, 0);
		else openLater(0, backoff(RETRY, failures));
		told.onStatus();
	}

	function deny() {
		stop();
		denied = true;
		told.onStatus();
	}

	/** @param {number} level @param {number} ms */
	function openLater(level, ms) {
		rung = level;
		world.never(climbTimer);
		better?.close();
		better = null;
		timer = world.later(() => open(level), ms);
	}

	function climbLater() {
		world.never(climbTimer);
		climbs += 1;
		climbTimer = world.later(() => climb(best()), backoff(CLIMB, climbs));
	}

	/** The best that may be tried. */
	function best() {
		return socketBarred ? 1 : 0;
	}

	/** Tries a better transport while this one goes on; it stops when the better one asks. @param {number} level */
	function climb(level) {
		let asked = false;
		let won = false;
		const trial = listener({
			onAsk: () => {
				asked = true;
				link?.close();
				link = null;
			},
			onOpen: () => {
				won = true;
				link = better;
				better = null;
				rung = level;
				climbs = 0;
				opened();
			},
			onEnd: (end) => {
				if (won) return ended(end);
				better = null;
				// With its opening comes the next climb.
				if (asked) open(rung, true);
				if (level + 1 < rung) climb(level + 1);
				else if (!asked) climbLater();
			},
		});
		better = LADDER[level](world, trial);
	}

	/** Doubles each time; jitter keeps many pages apart. @param {{first: number, most: number}} bounds @param {number} times */
	function backoff({ first, most }, times) {
		const full = Math.min(most, first * 2 ** (times - 1));
		return full * (0.5 + world.random() / 2);
	}

	return { start, stop, wake, status };
}
