// The sessions as rows. A row keeps its place and its elements while its session is shown: what changes is the text in it. New
// ones come where the order wants them; the others move only when somebody asks for the order again.

import { byId, h, write } from './dom.js';
import { clientOf, duration, number, visible } from './format.js';
import { ageOf, matches, order } from './query.js';

/** @import { Model } from './model.js' */
/** @import { Session } from '../types.js' */
/** @import { View } from './query.js' */

/** Rows at first, and how many more at once: fewer where the rest of the page comes after them. */
export const ROWS = matchMedia('(max-width: 72rem)').matches ? 25 : 100;

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

/** @typedef {ReturnType<typeof tableOf>} Table */

/**
 * @param {Model} model
 * @param {{onOpen: (key: string) => void, onSort: (column: string) => void}} told
 */
export function tableOf(model, { onOpen, onSort }) {
	const body = byId('rows');
	/** @type {Map<string, Row>} */
	const rows = new Map();
	/** @type {string[]} Keys of all that match. */
	let keys = [];
	let limit = ROWS;
	const heads = COLUMNS.map(([name, text, kind]) => {
		const button = h('button', { onclick: () => onSort(name) }, text);
		return h('th', { scope: 'col', role: 'columnheader', class: kind }, button);
	});
	byId('table').querySelector('thead tr')?.append(...heads);
	body.addEventListener('click', ({ target }) => {
		const key = /** @type {HTMLElement} */ (target).closest('tr')?.dataset.key;
		if (key && !String(getSelection())) onOpen(key);
	});

	/** @param {string[]} among @returns {Session[]} */
	const sessionsOf = (among) => among.flatMap((key) => model.sessions.get(key) ?? []);

	/** Everything anew: another filter, another order, another snapshot. @param {View} view */
	function reset(view) {
		const now = model.now();
		const found = [...model.sessions.values()].filter((session) => matches(session, view, now));
		keys = found.sort(order(view)).map((session) => session.session_id);
		for (const [index, [name]] of COLUMNS.entries()) {
			const direction = view.dir === 'asc' ? 'ascending' : 'descending';
			if (name === view.sort) heads[index].setAttribute('aria-sort', direction);
			else heads[index].removeAttribute('aria-sort');
		}
	}

	/** Those that changed: in, out, or where they were. @param {Iterable<string>} changed @param {View} view */
	function change(changed, view) {
		const now = model.now();
		const compare = order(view);
		const known = new Set(keys);
		/** @type {Set<string>} */
		const out = new Set();
		/** @type {Session[]} */
		const fresh = [];
		for (const key of changed) {
			const session = model.sessions.get(key);
			const belongs = session !== undefined && (session.ended !== undefined || matches(session, view, now));
			if (known.has(key) && !belongs) out.add(key);
			if (!known.has(key) && belongs && !session.ended) fresh.push(session);
		}
		if (out.size) keys = keys.filter((key) => !out.has(key));
		for (const session of fresh) keys.splice(place(session, compare), 0, session.session_id);
	}

	/** Before the first that comes after it. @param {Session} session @param {(a: Session, b: Session) => number} compare */
	function place(session, compare) {
		const after = keys.findIndex((key) => {
			const other = model.sessions.get(key);
			return other !== undefined && compare(session, other) < 0;
		});
		return after < 0 ? keys.length : after;
	}

	/** @param {View} view */
	function draw(view) {
		const shown = keys.slice(0, limit);
		const stays = new Set(shown);
		const held = focused();
		for (const [key, row] of rows) {
			if (stays.has(key)) continue;
			row.tr.remove();
			rows.delete(key);
		}
		let next = body.firstElementChild;
		for (const key of shown) {
			const row = rows.get(key) ?? make(key);
			if (row.tr === next) next = next.nextElementSibling;
			else body.insertBefore(row.tr, next);
		}
		tick();
		if (held >= 0 && focused() < 0) focusAt(held);
		return { matching: keys.length, shown: shown.length, isSorted: isSorted(shown, view) };
	}

	/** Writes what each row says now. */
	function tick() {
		const now = model.now();
		for (const [key, row] of rows) {
			const session = model.sessions.get(key);
			if (session) fill(row, session, now);
		}
	}

	/** @param {string} key @returns {Row} */
	function make(key) {
		const button = h('button', { class: 'link mono', 'aria-haspopup': 'dialog' }, key);
		const cells = COLUMNS.map(([name, , kind]) => h('td', { role: 'cell', class: kind }, name === 'session' ? button : null));
		cells[1].append(h('bdi'), ' ', h('bdi', { class: 'quiet' }));
		cells[2].append(h('span', { class: 'mark', 'aria-hidden': 'true' }), h('span'));
		const row = { tr: h('tr', { role: 'row', 'data-key': key }, ...cells), cells, button };
		rows.set(key, row);
		return row;
	}

	/** @param {string[]} shown @param {View} view */
	function isSorted(shown, view) {
		const compare = order(view);
		return sessionsOf(shown).every((session, index, all) => index === 0 || compare(all[index - 1], session) <= 0);
	}

	/** The place of the row that has the focus. */
	const focused = () => [...body.children].findIndex((row) => row.contains(document.activeElement));

	/** @param {number} at Or the nearest one that there is */
	function focusAt(at) {
		const last = body.children.length - 1;
		body.children[Math.max(0, Math.min(last, at))]?.querySelector('button')?.focus();
	}

	return {
		reset,
		change,
		draw,
		tick,
		/** @param {boolean} more Some more rows, or as many as at first */
		extend(more) {
			limit = more ? limit + ROWS : ROWS;
		},
		/** @param {string} key @returns {boolean} */
		focus(key) {
			const button = rows.get(key)?.button;
			button?.focus();
			return button !== undefined;
		},
		/** Moves the focus by a row. @param {1 | -1} by */
		step: (by) => focusAt(focused() + by),
		/** All that match, in their order. */
		sessions: () => sessionsOf(keys).filter((session) => !session.ended),
	};
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
