// The sessions as rows. A row keeps its place and its elements while its session is shown: what changes is the text in it. New
// ones come where the order wants them; the others move only when somebody asks for the order again.

import { byId, h, write } from './dom.js';
import { clientOf, duration, number, visible } from './format.js';
import { ageOf, matches, order } from './query.js';

/** @typedef {import('./model.js').Model} Model */
/** @typedef {import('./model.js').Session} Session */
/** @typedef {import('./query.js').View} View */

/** Rows at first, and how many more at once. */
export const ROWS = 100;

/** @type {[string, string, string][]} Name, heading, class. */
const COLUMNS = [
	['session', 'Session', 'key'],
	['client', 'Client', 'client'],
	['status', 'Status', 'status'],
	['replica', 'Replica', 'replica wide'],
	['idle', 'Idle', 'num'],
	['uptime', 'Uptime', 'num wide'],
	['reconnects', 'Reconnects', 'num wide'],
];

/** @typedef {{tr: HTMLElement, cells: HTMLElement[], button: HTMLElement}} Row */

export class Table {
	/**
	 * @param {Model} model
	 * @param {{onOpen: (key: string) => void, onSort: (column: string) => void}} told
	 */
	constructor(model, told) {
		this.#model = model;
		this.#told = told;
		this.#body = byId('rows');
		this.#heads = COLUMNS.map(([name, text, kind]) => {
			const button = h('button', { onclick: () => told.onSort(name) }, text);
			return h('th', { scope: 'col', role: 'columnheader', class: kind }, button);
		});
		byId('table').querySelector('thead tr')?.append(...this.#heads);
		this.#body.addEventListener('click', ({ target }) => {
			const key = /** @type {HTMLElement} */ (target).closest('tr')?.dataset.key;
			if (key && !String(getSelection())) this.#told.onOpen(key);
		});
	}

	#model;
	#told;
	#body;
	#heads;
	/** @type {Map<string, Row>} */
	#rows = new Map();
	/** @type {string[]} Keys of all that match. */
	#order = [];
	limit = ROWS;

	/** Everything anew: another filter, another order, another snapshot. @param {View} view */
	reset(view) {
		const now = this.#model.now();
		const found = [...this.#model.sessions.values()].filter((session) => matches(session, view, now));
		this.#order = found.sort(order(view)).map((session) => session.session_id);
		for (const [index, [name]] of COLUMNS.entries()) {
			const direction = view.dir === 'asc' ? 'ascending' : 'descending';
			if (name === view.sort) this.#heads[index].setAttribute('aria-sort', direction);
			else this.#heads[index].removeAttribute('aria-sort');
		}
	}

	/** Those that changed: in, out, or where they were. @param {Iterable<string>} keys @param {View} view */
	change(keys, view) {
		const now = this.#model.now();
		const compare = order(view);
		const known = new Set(this.#order);
		/** @type {Set<string>} */
		const out = new Set();
		/** @type {Session[]} */
		const fresh = [];
		for (const key of keys) {
			const session = this.#model.sessions.get(key);
			const belongs = session !== undefined && (session.ended !== undefined || matches(session, view, now));
			if (known.has(key) && !belongs) out.add(key);
			if (!known.has(key) && belongs && !session.ended) fresh.push(session);
		}
		if (out.size) this.#order = this.#order.filter((key) => !out.has(key));
		for (const session of fresh) this.#order.splice(this.#place(session, compare), 0, session.session_id);
	}

	/** Before the first that comes after it. @param {Session} session @param {(a: Session, b: Session) => number} compare */
	#place(session, compare) {
		const after = this.#order.findIndex((key) => {
			const other = this.#model.sessions.get(key);
			return other !== undefined && compare(session, other) < 0;
		});
		return after < 0 ? this.#order.length : after;
	}

	/** Those whose age no longer is what the filter wants. @param {View} view */
	recheck(view) {
		if (view.age) this.change(this.#model.sessions.keys(), view);
	}

	/** @returns {{matching: number, shown: number, isSorted: boolean}} @param {View} view */
	draw(view) {
		const shown = this.#order.slice(0, this.limit);
		const stays = new Set(shown);
		const focused = this.#focused();
		for (const [key, row] of this.#rows) {
			if (stays.has(key)) continue;
			row.tr.remove();
			this.#rows.delete(key);
		}
		let place = this.#body.firstElementChild;
		for (const key of shown) {
			const row = this.#rows.get(key) ?? this.#make(key);
			if (row.tr === place) place = place.nextElementSibling;
			else this.#body.insertBefore(row.tr, place);
		}
		this.tick();
		if (focused >= 0 && this.#focused() < 0) this.#focusAt(focused);
		return { matching: this.#order.length, shown: shown.length, isSorted: this.#isSorted(shown, view) };
	}

	/** Writes what each row says now. */
	tick() {
		const now = this.#model.now();
		for (const [key, row] of this.#rows) {
			const session = this.#model.sessions.get(key);
			if (session) fill(row, session, now);
		}
	}

	/** @param {string} key @returns {Row} */
	#make(key) {
		const button = h('button', { class: 'link mono', 'aria-haspopup': 'dialog' }, key);
		const cells = COLUMNS.map(([name, , kind]) => h('td', { role: 'cell', class: kind }, name === 'session' ? button : null));
		cells[1].append(h('bdi'), ' ', h('bdi', { class: 'quiet' }));
		cells[2].append(h('span', { class: 'mark', 'aria-hidden': 'true' }), h('span'));
		const tr = h('tr', { role: 'row', 'data-key': key }, ...cells);
		const row = { tr, cells, button };
		this.#rows.set(key, row);
		return row;
	}

	/** @param {string[]} shown @param {View} view */
	#isSorted(shown, view) {
		const compare = order(view);
		const sessions = shown.flatMap((key) => this.#model.sessions.get(key) ?? []);
		return sessions.every((session, index) => index === 0 || compare(sessions[index - 1], session) <= 0);
	}

	/** The place of the row that has the focus. */
	#focused() {
		return [...this.#body.children].findIndex((row) => row.contains(document.activeElement));
	}

	/** @param {number} place Or the nearest one that there is */
	#focusAt(place) {
		const rows = this.#body.children;
		rows[Math.max(0, Math.min(rows.length - 1, place))]?.querySelector('button')?.focus();
	}

	/** @param {string} key @returns {boolean} */
	focus(key) {
		const button = this.#rows.get(key)?.button;
		button?.focus();
		return button !== undefined;
	}

	/** Moves the focus by a row. @param {1 | -1} by */
	step(by) {
		this.#focusAt(this.#focused() + by);
	}

	/** All that match, in their order. @returns {Session[]} */
	sessions() {
		return this.#order.flatMap((key) => this.#model.sessions.get(key) ?? []).filter((session) => !session.ended);
	}
}

/** @param {Row} row @param {Session} session @param {number} now */
function fill({ tr, cells }, session, now) {
	const state = session.ended ? 'ended' : session.status;
	if (tr.dataset.state !== state) {
		tr.dataset.state = state;
		/** @type {Element} */ (cells[2].firstElementChild).setAttribute('class', `mark ${state}`);
	}
	const name = clientOf({ client_type: session.client_type });
	write(/** @type {Element} */ (cells[1].firstElementChild), name);
	const version = visible(session.client_version);
	write(/** @type {Element} */ (cells[1].lastElementChild), version);
	const full = version ? `${name} ${version}` : name;
	if (cells[1].title !== full) cells[1].title = full;
	write(/** @type {Element} */ (cells[2].lastElementChild), state);
	write(cells[3], session.replica);
	write(cells[4], duration(now - session.last_seen_at));
	const age = session.ended ? '' : ageOf(session, now);
	if (cells[4].dataset.age !== age) cells[4].dataset.age = age;
	write(cells[5], duration(now - session.created_at));
	write(cells[6], number(session.reconnect_count));
}
