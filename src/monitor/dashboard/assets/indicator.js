// How live the page is, in words.

import { byId, write } from './dom.js';
import { duration } from './format.js';

/** @typedef {import('./feed.js').Feed} Feed */

/** @type {Record<import('./feed.js').StatusName, (transport: string, silence: string) => [string, string]>} */
const WORDS = {
  connecting: () => ['Connecting…', 'Asking the server for its sessions.'],
  live: (transport) => ['Live', `What happens shows at once, over ${transport}.`],
  polling: () => ['Polling', 'Neither WebSocket nor SSE gets through: asked again every 10 seconds, or 30 while hidden.'],
  degraded: () => ['Degraded', 'The server cannot reach its session store. Shown is the last that was known.'],
  reconnecting: () => ['Reconnecting…', 'The connection broke; it is being made again.'],
  stale: (_, silence) => [`Stale (${silence})`, 'The server does not answer. Shown is the last that was known.'],
  denied: () => ['No access', 'The server asks for a token.'],
};

/** @type {string} */
let said = '';

/** @param {Feed} feed */
export function showStatus(feed) {
  const { name, transport, silentMs } = feed.status();
  const [text, why] = WORDS[name](transport, duration(silentMs));
  const place = byId('state');
  if (place.dataset.state !== name) place.dataset.state = name;
  place.dataset.transport = transport;
  if (place.title !== why) place.title = why;
  write(byId('state-text'), text);
  if (said !== name) {
    // The seconds of a stale page are not read out each time.
    if (said || name !== 'live') write(byId('state-said'), `${WORDS[name](transport, '')[0].replace(' ()', '')}. ${why}`);
    said = name;
  }
  return name;
}
