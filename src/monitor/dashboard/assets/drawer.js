// One session: what is known of it, what happened to it, and what can be done.

import { byId, copy, figures, fill, h, toast } from './dom.js';
import { confirmEnd, showToken } from './dialogs.js';
import { listed } from './events.js';
import { clientOf, date, duration, number, visible } from './format.js';

/** @import { Session, SessionEvent } from '../types.js' */

const ENDED = 'This session has ended.';
const UNKNOWN = 'No session has this key: it ended a while ago, or was never opened.';

/**
 * @param {import('./api.js').Api} api
 * @param {import('./model.js').Model} model
 * @param {() => {may_terminate: boolean, reconnect: boolean}} access
 * @param {() => void} onClosed
 */
export function drawerOf(api, model, access, onClosed) {
	const dialog = byId('drawer');
	/** Of the session that is shown; empty while none is. */
	let key = '';
	/** @type {Session | null} */
	let session = null;
	/** @type {SessionEvent[]} */
	let events = [];
	let note = '';
	dialog.addEventListener('close', () => {
		// This is told late: it may be open again.
		if (dialog.open) return;
		key = '';
		onClosed();
	});
	dialog.addEventListener('click', ({ target }) => {
		if (target === dialog) close();
	});

	const close = () => dialog.close();
	const copyKey = () => copy(key, dialog);

	/** @param {string} wanted */
	function open(wanted) {
		if (key === wanted) return;
		key = wanted;
		session = model.sessions.get(key) ?? null;
		events = [];
		note = 'Loading what happened to it…';
		draw();
		if (!dialog.open) dialog.showModal();
		byId('drawer-title').focus();
		load(wanted);
	}

	/** @param {string} wanted */
	async function load(wanted) {
		try {
			const detail = await api.detail(wanted);
			if (key !== wanted) return;
			session = detail.session;
			events = detail.timeline;
			note = '';
		} catch (error) {
			if (key !== wanted) return;
			note = error.status !== 404 ? error.message : session ? ENDED : UNKNOWN;
		}
		draw();
	}

	/** @param {SessionEvent[]} told @param {Set<string>} changed */
	function take(told, changed) {
		if (!key || !changed.has(key)) return;
		const mine = told.filter((event) => event.session?.session_id === key);
		events.push(...mine);
		session = model.sessions.get(key) ?? session;
		if (session?.ended) note = ENDED;
		if (mine.length) draw();
		else tick();
	}

	function tick() {
		const list = dialog.querySelector('dl');
		if (list && session) figures(list, facts(session, model.now()));
	}

	/** As a whole, seldom; the focus stays on what has the same name. */
	function draw() {
		const held = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.hold;
		const title = session ? clientOf(session) : 'Session';
		fill(dialog,
			h(
				'div',
				{ class: 'head' },
				h('h2', { id: 'drawer-title', tabindex: -1, 'data-hold': 'title' }, h('bdi', {}, title)),
				h('button', { 'data-hold': 'close', 'aria-label': 'Close', onclick: close }, '✕'),
			),
			h(
				'p',
				{ class: 'keyline' },
				h('code', { id: 'drawer-key' }, key),
				h('button', { 'data-hold': 'copy', 'aria-keyshortcuts': 'c', onclick: copyKey }, 'Copy key'),
			),
			note && h('p', { class: 'notice', role: 'status' }, note),
			...(session ? [h('dl', { class: 'figures facts' }), actions(session), h('h3', {}, 'Timeline'), timeline(events)] : []),
		);
		tick();
		if (held) /** @type {HTMLElement | null} */ (dialog.querySelector(`[data-hold=${held}]`))?.focus();
	}

	/** @param {Session} session */
	function actions(session) {
		const { may_terminate: mayEnd, reconnect } = access();
		if (session.ended || note === ENDED) return '';
		if (!mayEnd && !reconnect) return h('p', { class: 'quiet' }, 'You may look here, and not act.');
		const token = h('button', { 'data-hold': 'token', onclick: () => showToken(api, session) }, 'Issue reconnect token…');
		const ending = h('button', { class: 'danger', 'data-hold': 'end', onclick: () => end(session) }, 'End session…');
		return h('p', { class: 'actions' }, reconnect ? token : null, mayEnd ? ending : null);
	}

	/** @param {Session} session */
	async function end(session) {
		const name = clientOf(session);
		let gone = true;
		if (!(await confirmEnd(session))) return;
		try {
			await api.terminate(session.session_id);
			toast(`The session of ${name} has ended, on every replica.`);
		} catch (error) {
			gone = error.status === 404;
			toast(gone ? `The session of ${name} had ended already.` : `It was not ended: ${error.message}`);
		}
		// Another may be shown by now.
		if (key !== session.session_id) return;
		if (gone) note = ENDED;
		draw();
	}

	return { open, close, take, tick, copyKey };
}

/** @param {Session} session @param {number} now */
const facts = (session, now) => ({
	Status: session.ended ? 'ended' : session.status,
	Replica: visible(session.replica),
	Idle: duration(now - session.last_seen_at),
	Uptime: duration(now - session.created_at),
	Opened: date(session.created_at),
	'Last activity': date(session.last_seen_at),
	Reconnects: number(session.reconnect_count),
	Protocol: visible(session.protocol_version),
});

/** @param {SessionEvent[]} events */
function timeline(events) {
	if (!events.length) return h('p', { class: 'quiet' }, 'The event log no longer goes back to it.');
	return h('ol', { class: 'timeline events' }, ...events.map((event) => listed(event)));
}
