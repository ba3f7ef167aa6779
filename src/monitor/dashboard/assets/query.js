// What somebody wants to see: filter, order and the open session, as they stand in the page's address.

/** @import { Session } from '../types.js' */

/**
 * @typedef {object} View
 * @property {string} status
 * @property {string} age
 * @property {string} client
 * @property {string} q
 * @property {string} sort
 * @property {'asc' | 'desc'} dir
 * @property {string} session The key of the session that is looked at
 */

/** Idle for less is healthy, for longer than the second stale. */
export const AGES = { healthy: 5 * 60_000, stale: 10 * 60_000 };

const FILTERS = /** @type {const} */ (['status', 'age', 'client', 'q']);

/** How sessions compare by a column, and which way round is the first. @type {Record<string, [(a: Session, b: Session) => number, 'asc' | 'desc']>} */
const SORTS = {
	session: [(a, b) => byText(a.session_id, b.session_id), 'asc'],
	client: [(a, b) => byText(a.client_type, b.client_type) || byText(a.client_version, b.client_version), 'asc'],
	status: [(a, b) => byText(a.status, b.status), 'asc'],
	replica: [(a, b) => byText(a.replica, b.replica), 'asc'],
	idle: [(a, b) => b.last_seen_at - a.last_seen_at, 'asc'],
	uptime: [(a, b) => b.created_at - a.created_at, 'asc'],
	reconnects: [(a, b) => a.reconnect_count - b.reconnect_count, 'desc'],
};

const collator = new Intl.Collator(undefined, { numeric: true });
/** @param {string} a @param {string} b */
const byText = (a, b) => collator.compare(a, b);

/** By uptime, the newest first: an order in which nothing ever moves. */
const DEFAULT_SORT = 'uptime';

/** @param {string} search @returns {View} */
export function read(search) {
	const query = new URLSearchParams(search);
	const one = (/** @type {string} */ name, /** @type {string[]} */ of) => {
		const value = query.get(name) ?? '';
		return of.includes(value) ? value : '';
	};
	const sort = one('sort', Object.keys(SORTS)) || DEFAULT_SORT;
	const key = query.get('session') ?? '';
	return {
		status: one('status', ['active', 'disconnected']),
		age: one('age', ['healthy', 'aging', 'stale']),
		client: query.get('client') ?? '',
		q: query.get('q') ?? '',
		sort,
		dir: /** @type {'asc' | 'desc'} */ (one('dir', ['asc', 'desc']) || firstDirection(sort)),
		session: /^[\w-]{16}$/.test(key) ? key : '',
	};
}

/** What `read` reads; empty for the default. @param {View} view */
export function search(view) {
	const query = new URLSearchParams();
	for (const name of FILTERS) if (view[name]) query.set(name, view[name]);
	if (view.sort !== DEFAULT_SORT || view.dir !== firstDirection(view.sort)) {
		query.set('sort', view.sort);
		query.set('dir', view.dir);
	}
	if (view.session) query.set('session', view.session);
	const text = query.toString();
	return text && `?${text}`;
}

/** @param {string} sort */
export const firstDirection = (sort) => SORTS[sort][1];

/** @param {View} view */
export const isFiltered = (view) => FILTERS.some((name) => view[name] !== '');

/** The filter as the server's list takes it. @param {View} view @returns {Record<string, string>} */
export function forServer(view) {
	return Object.fromEntries(FILTERS.filter((name) => view[name]).map((name) => [name, view[name]]));
}

/** @param {Session} session @param {number} now @returns {'healthy' | 'aging' | 'stale'} */
export function ageOf(session, now) {
	const idle = now - session.last_seen_at;
	return idle < AGES.healthy ? 'healthy' : idle > AGES.stale ? 'stale' : 'aging';
}

/** @param {Session} session @param {View} view @param {number} now */
export function matches(session, view, now) {
	return (
		(!view.status || session.status === view.status) &&
		(!view.age || ageOf(session, now) === view.age) &&
		(!view.client || session.client_type === view.client) &&
		(!view.q || mentions(session, view.q))
	);
}

/** @param {Session} session @param {string} text */
function mentions(session, text) {
	const sought = text.toLowerCase();
	const fields = [session.session_id, session.client_type, session.client_version, session.replica];
	return fields.some((field) => field.toLowerCase().includes(sought));
}

/** @param {View} view @returns {(a: Session, b: Session) => number} */
export function order(view) {
	const compare = SORTS[view.sort][0];
	const sign = view.dir === 'desc' ? -1 : 1;
	return (a, b) => sign * compare(a, b) || (a.session_id < b.session_id ? -1 : a.session_id > b.session_id ? 1 : 0);
}
