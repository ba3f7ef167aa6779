// How live the page is, in words.

import { byId, write } from './dom.js';
import { duration } from './format.js';

/** @import { Feed } from './feed.js' */

/** @type {Record<import('./feed.js').StatusName, (transport: string, silence: string) => [string, string]>} */
const WORDS = {
	connecting: () => ['Connecting…', 'Asking the server for its sessions.'],
	live: (transport) => ['Live', `Changes show at once, over ${transport}.`],
	polling: () => ['Polling', 'Neither WebSocket nor SSE gets through; the server is asked every 10 seconds.'],
	degraded: () => ['Degraded', 'The server cannot reach its session store; shown is the last it knew.'],
	reconnecting: () => ['Reconnecting…', 'The connection broke; it is being made again.'],
	stale: (_, silence) => [`Stale (${silence})`, 'The server does not answer; shown is the last that was known.'],
	denied: () => ['No access', 'The server asks for a token.'],
};

/** @type {string} */
let shown = '';

/** @param {Feed} feed @returns {boolean} Whether it is another one than before */
export function showStatus(feed) {
	const { name, transport, silentMs } = feed.status();
	const [text, why] = WORDS[name](transport, duration(silentMs));
	const place = byId('state');
	place.dataset.transport = transport;
	write(byId('state-text'), text);
	if (shown === name + transport) return false;
	shown = name + transport;
	place.dataset.state = name;
	// The seconds of a page that is stale are not in it: it is read out.
	write(byId('state-said'), why);
	return true;
}
