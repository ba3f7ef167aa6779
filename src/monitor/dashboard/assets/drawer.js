// One session: what is known of it, what happened to it, and what can be done.

import { byId, copy, figures, fill, h, toast } from './dom.js';
import { confirmEnd, showToken } from './dialogs.js';
import { listed } from './events.js';
import { clientOf, date, duration, number, visible } from './format.js';

/** @typedef {import('./model.js').Session} Session */
/** @typedef {import('./model.js').SessionEvent} SessionEvent */

const ENDED = 'This session has ended.';

export class Drawer {
	/**
	 * @param {import('./api.js').Api} api
	 * @param {import('./model.js').Model} model
	 * @param {() => {may_terminate: boolean, reconnect: boolean}} access
	 * @param {() => void} onClosed
	 */
	constructor(api, model, access, onClosed) {
		this.#api = api;
		this.#model = model;
		this.#access = access;
		this.#dialog = byId('drawer');
		this.#dialog.addEventListener('close', () => {
			this.key = '';
			onClosed();
		});
		this.#dialog.addEventListener('click', ({ target }) => {
			if (target === this.#dialog) this.close();
		});
	}

	#api;
	#model;
	#access;
	#dialog;
	key = '';
	/** @type {Session | null} */
	#session = null;
	/** @type {SessionEvent[]} */
	#timeline = [];
	#note = '';

	close() {
		if (this.#dialog.open) this.#dialog.close();
	}

	/** @param {string} key */
	async open(key) {
		if (this.key === key) return;
		this.key = key;
		this.#session = this.#model.sessions.get(key) ?? null;
		this.#timeline = [];
		this.#note = 'Loading what happened to it…';
		this.#draw();
		if (!this.#dialog.open) this.#dialog.showModal();
		byId('drawer-title').focus();
		await this.#load();
	}

	async #load() {
		const { key } = this;
		try {
			const detail = await this.#api.detail(key);
			if (this.key !== key) return;
			this.#session = detail.session;
			this.#timeline = detail.timeline;
			this.#note = '';
		} catch (error) {
			if (this.key !== key) return;
			this.#note = error.status === 404 ? ENDED : error.message;
		}
		this.#draw();
	}

	/** @param {SessionEvent[]} events @param {Set<string>} changed */
	take(events, changed) {
		if (!this.key || !changed.has(this.key)) return;
		const mine = events.filter((event) => event.session?.session_id === this.key);
		this.#timeline.push(...mine);
		this.#session = this.#model.sessions.get(this.key) ?? this.#session;
		if (this.#session?.ended) this.#note = ENDED;
		if (mine.length) this.#draw();
		else this.tick();
	}

	tick() {
		const list = this.#dialog.querySelector('dl');
		if (list && this.#session) figures(list, facts(this.#session, this.#model.now()));
	}

	#draw() {
		// Drawn as a whole, seldom; the focus stays on what has the same name.
		const held = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.hold;
		const session = this.#session;
		const title = session ? clientOf(session) : 'Session';
		fill(this.#dialog,
			h(
				'div',
				{ class: 'head' },
				h('h2', { id: 'drawer-title', tabindex: -1, 'data-hold': 'title' }, h('bdi', {}, title)),
				h('button', { 'data-hold': 'close', 'aria-label': 'Close', onclick: () => this.close() }, '✕'),
			),
			h(
				'p',
				{ class: 'keyline' },
				h('code', { id: 'drawer-key' }, this.key),
				h('button', { 'data-hold': 'copy', 'aria-keyshortcuts': 'c', onclick: () => this.copyKey() }, 'Copy key'),
			),
			this.#note && h('p', { class: 'notice', role: 'status' }, this.#note),
			session && h('dl', { class: 'figures facts' }),
			session && this.#actions(session),
			h('h3', {}, 'Timeline'),
			timeline(this.#timeline),
		);
		this.tick();
		if (held) /** @type {HTMLElement | null} */ (this.#dialog.querySelector(`[data-hold=${held}]`))?.focus();
	}

	copyKey() {
		copy(this.key, this.#dialog);
	}

	/** @param {Session} session */
	#actions(session) {
		const { may_terminate: mayEnd, reconnect } = this.#access();
		if (session.ended || this.#note === ENDED) return h('p', {});
		if (!mayEnd && !reconnect) return h('p', { class: 'quiet' }, 'You may look here, and not act.');
		const token = h('button', { 'data-hold': 'token', onclick: () => showToken(this.#api, session) }, 'Issue reconnect token…');
		const end = h('button', { class: 'danger', 'data-hold': 'end', onclick: () => this.#end(session) }, 'End session…');
		return h('p', { class: 'actions' }, reconnect ? token : null, mayEnd ? end : null);
	}

	/** @param {Session} session */
	async #end(session) {
		const name = clientOf(session);
		if (!(await confirmEnd(session))) return;
		try {
			await this.#api.terminate(session.session_id);
			toast(`The session of ${name} has ended, on every replica.`);
			this.#note = ENDED;
		} catch (error) {
			const gone = error.status === 404;
			if (gone) this.#note = ENDED;
			toast(gone ? `The session of ${name} had ended already.` : `It was not ended: ${error.message}`);
		}
		this.#draw();
	}
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
	Protocol: `${visible(session.protocol_version)} (legacy: needs its session)`,
});

/** @param {SessionEvent[]} events */
function timeline(events) {
	if (!events.length) return h('p', { class: 'quiet' }, 'The event log no longer goes back to it.');
	return h('ol', { class: 'timeline events' }, ...events.map((event) => listed(event)));
}
