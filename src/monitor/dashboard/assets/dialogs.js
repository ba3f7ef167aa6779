// Questions and answers that stand before everything else.

import { byId, copy, h } from './dom.js';
import { clientOf, date, duration, visible } from './format.js';
import { keysAreOn, setKeys } from './keys.js';

/** @import { Session } from '../types.js' */

const dialog = () => byId('dialog');

/** Ends what stands there. */
let end = () => {};

/**
 * Shows a dialog until it is closed, or another one takes its place; resolves with what closed it.
 * @param {string} title
 * @param {Node[]} body
 * @param {Node[]} buttons
 * @returns {Promise<string>}
 */
function show(title, body, buttons) {
	const place = dialog();
	place.close();
	place.returnValue = '';
	end();
	place.replaceChildren(h('h2', { id: 'dialog-title' }, title), ...body, h('p', { class: 'actions' }, ...buttons));
	place.showModal();
	return new Promise((resolve) => {
		end = () => {
			end = () => {};
			place.replaceChildren();
			resolve(place.returnValue);
		};
		// It tells of a close later, when another one may stand here.
		place.onclose = () => place.open || end();
	});
}

/** @param {string} text @param {string} value @param {Record<string, any>} [more] */
function closing(text, value, more = {}) {
	return h('button', { onclick: () => dialog().close(value), ...more }, text);
}

/** @param {Session} session */
export async function confirmEnd(session) {
	const name = clientOf(session);
	const body = [
		h('p', {}, 'This ends the session of ', h('strong', {}, h('bdi', {}, name)), ' on every replica. At its next request the client is told that the session is not found, and has to open a new one.'),
		h('p', { class: 'quiet' }, 'Session ', h('code', {}, session.session_id), `, last on ${visible(session.replica)}`),
	];
	const buttons = [closing('Keep it', ''), closing('End this session', 'end', { class: 'danger', id: 'end-it' })];
	return (await show(`End the session of ${name}?`, body, buttons)) === 'end';
}

/** @param {import('./api.js').Api} api @param {Session} session */
export async function showToken(api, session) {
	const name = clientOf(session);
	const asked = await show(
		`Issue a reconnect token for ${name}?`,
		[h('p', {}, 'Whoever has it can take this session over, once: the client gets a new id, and the old one is out. It is shown once; give it only to who holds the session.')],
		[closing('Cancel', ''), closing('Issue a token', 'issue', { id: 'issue-it' })],
	);
	if (asked !== 'issue') return;
	try {
		const given = await api.reconnectToken(session.session_id);
		await reveal(name, given.reconnect_token, Date.now() + given.expires_in * 1000);
	} catch (error) {
		await show('No token was issued', [h('p', { role: 'alert' }, error.message)], [closing('Close', '')]);
	}
}

/** @param {string} name @param {string} token @param {number} until */
async function reveal(name, token, until) {
	const field = h('textarea', { readonly: true, rows: 7, id: 'token', class: 'mono', 'aria-label': 'Reconnect token', spellcheck: 'false' });
	field.value = token;
	const left = h('span');
	const count = () => {
		const ms = until - Date.now();
		left.textContent = ms > 0 ? `in ${duration(ms)}` : 'expired';
	};
	count();
	const timer = setInterval(count, 1000);
	const body = [field, h('p', {}, 'Expires ', left, `, at ${date(until)}. It is not shown again.`)];
	const copying = h('button', { onclick: () => copy(token, dialog()) }, 'Copy token');
	await show(`Reconnect token for ${name}`, body, [copying, closing('Close', '')]);
	clearInterval(timer);
	field.value = '';
}

/** Asks for the monitor's token. @param {string} why @param {boolean} signedIn @returns {Promise<string | null>} */
export async function askToken(why, signedIn) {
	const field = h('input', { type: 'password', id: 'monitor-token', autocomplete: 'off', required: true });
	const problem = h('p', { class: 'problem', role: 'alert' });
	const enter = () => {
		const token = field.value.trim();
		const fits = /^[\x21-\x7e]+$/.test(token);
		if (fits) dialog().close(token);
		else problem.textContent = 'A token is one word of visible characters.';
	};
	field.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
		if (event.key === 'Enter') enter();
	});
	const body = [
		h('p', {}, why),
		h('label', { for: 'monitor-token' }, 'Token'),
		field,
		problem,
		h('p', { class: 'quiet' }, 'It is kept until this tab is closed, and sent to this server only, never in an address.'),
	];
	const out = signedIn ? [closing('Forget the token', ' ')] : [];
	const token = await show('Sign in', body, [...out, closing('Cancel', ''), h('button', { class: 'main', onclick: enter }, 'Sign in')]);
	return token === '' ? null : token.trim();
}

/** @type {[string, string][]} */
const KEYS = [
	['/', 'Search'],
	['j, k, ↓, ↑', 'Next, previous session (arrows within the table)'],
	['Enter', 'Open the session'],
	['Esc', 'Close what is open; in the search, empty it'],
	['c', 'Copy the key of the open session'],
	['p', 'Pause, go on'],
	['r', 'Sort again'],
	['x', 'Clear the filter'],
	['t', 'Next theme'],
	['?', 'This sheet'],
];

export async function showHelp() {
	const box = /** @type {HTMLInputElement} */ (h('input', { type: 'checkbox', id: 'keys-on' }));
	box.checked = keysAreOn();
	box.addEventListener('change', () => setKeys(box.checked));
	const line = (/** @type {[string, string]} */ [keys, what]) => h('div', {}, h('dt', {}, h('kbd', {}, keys)), h('dd', {}, what));
	const body = [
		h('dl', { class: 'keys-sheet' }, ...KEYS.map(line)),
		h('p', {}, box, ' ', h('label', { for: 'keys-on' }, 'Single keys do this')),
		h('h3', {}, 'What the words mean'),
		h('p', { class: 'quiet' }, 'Active: in use. Disconnected: idle for too long; its next request brings it back. Healthy, aging, stale: by the time since its last activity. Degraded: the server cannot reach its session store.'),
	];
	await show('Keyboard shortcuts', body, [closing('Close', '')]);
}
