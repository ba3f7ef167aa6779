// What happens, as it happens; and the words for it, which timelines use too.

import { byId, h } from './dom.js';
import { clientOf, date, duration, time, visible } from './format.js';

/** @import { SessionEvent } from '../types.js' */

const SHOWN = 40;

/** Why a session ended. @type {Record<string, string>} */
const REASONS = {
	closed_by_client: 'closed by its client',
	terminated: 'by an operator',
	expired: 'expired: not seen for the whole retention',
	max_lifetime: 'it had reached the greatest lifetime',
	abandoned: 'its client left before the handshake was complete',
	handshake_lost: 'the store had lost its handshake',
};

/** @param {string} text */
const words = (text) => visible(text).replaceAll('_', ' ');

/** What happened: a kind for the colour, a word, and the rest. @param {SessionEvent} event @returns {[string, string, string]} */
function tell(event) {
	switch (event.type) {
		case 'session_created':
			return ['active', 'Opened', `on ${visible(event.session?.replica ?? 'a replica')}`];
		case 'session_disconnected':
			return ['disconnected', 'Disconnected', 'idle for too long'];
		case 'session_reconnected':
			return ['back', event.how === 'token' ? 'Reconnected with a token' : 'Returned', comeback(event)];
		case 'session_updated':
			return ['active', event.how === 'adopted' ? 'Adopted' : 'Updated', event.how === 'adopted' ? 'somebody logged in and has it now' : ''];
		case 'session_terminated':
			return ['ended', 'Ended', REASONS[event.reason ?? ''] ?? words(event.reason ?? '')];
		case 'reconnect_refused':
			return ['refused', 'Reconnect refused', `${words(event.outcome ?? '')}${event.door ? `, by ${words(event.door)}` : ''}`];
		default:
			return ['other', words(event.type), ''];
	}
}

/** @param {SessionEvent} event */
function comeback(event) {
	const after = event.gap_ms === undefined ? '' : `after ${duration(event.gap_ms)}`;
	const replica = event.session?.replica;
	const moved = event.from_replica && replica && event.from_replica !== replica;
	return moved ? `${after}, moved from ${visible(event.from_replica ?? '')} to ${visible(replica)}` : after;
}

/** Puts new ones on top. @param {SessionEvent[]} events The oldest first @param {(key: string) => void} onOpen */
export function showEvents(events, onOpen) {
	if (!events.length) return;
	const list = byId('events');
	byId('no-events').hidden = true;
	list.prepend(...events.slice(-SHOWN).reverse().map((event) => line(event, onOpen)));
	while (list.children.length > SHOWN) {
		const last = /** @type {Element} */ (list.lastElementChild);
		if (last.contains(document.activeElement)) break;
		last.remove();
	}
}

/** @param {SessionEvent} event @param {(key: string) => void} onOpen */
function line(event, onOpen) {
	const { session } = event;
	if (!session) return listed(event);
	return listed(event, h('button', { class: 'link', onclick: () => onOpen(session.session_id) }, h('bdi', {}, clientOf(session))));
}

/** An event in a list. @param {SessionEvent} event @param {Node} [who] */
export function listed(event, who) {
	const [kind, what, more] = tell(event);
	const when = h('time', { datetime: new Date(event.at).toISOString(), title: date(event.at) }, time(event.at));
	const mark = h('span', { class: `mark ${kind}`, 'aria-hidden': 'true' });
	return h('li', {}, h('span', {}, mark, h('b', {}, what)), ' ', h('span', { class: 'rest' }, who, who && ' ', more), when);
}
