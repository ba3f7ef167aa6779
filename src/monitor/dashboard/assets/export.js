// The sessions of the filter as a file.

import { visible } from './format.js';

/** @import { Session } from '../types.js' */

const FIELDS = /** @type {const} */ ([
	'session_id', 'client_type', 'client_version', 'status', 'replica', 'protocol_version', 'created_at', 'last_seen_at', 'reconnect_count',
]);

/** @param {Session} session */
const values = (session) =>
	FIELDS.map((name) => (name.endsWith('_at') ? new Date(Number(session[name])).toISOString() : session[name]));

// What spreadsheets take for a formula, at the beginning of what they take for a field, wherever they split.
const FORMULA = /(^|[,;|\s"'])(?=[=+\-@＝＋－＠])/g;

/**
 * As RFC 4180 writes it, every field quoted. What may be foreign is made visible, and where a formula could begin stands an
 * apostrophe. The key stays as it is: sixteen letters, digits, - and _ call nothing.
 * @param {Session[]} sessions
 */
export function csv(sessions) {
	const cell = (/** @type {unknown} */ value, /** @type {number} */ column) => {
		const text = column ? visible(String(value)).replace(FORMULA, "$1'") : String(value);
		return `"${text.replaceAll('"', '""')}"`;
	};
	const lines = [FIELDS, ...sessions.map(values)].map((line) => line.map(cell).join(','));
	return `${lines.join('\r\n')}\r\n`;
}

/** @param {Session[]} sessions */
export function json(sessions) {
	const plain = sessions.map((session) => Object.fromEntries(values(session).map((value, index) => [FIELDS[index], value])));
	return `${JSON.stringify(plain, null, 2)}\n`;
}

/** @param {string} text @param {string} type @param {string} ending */
export function save(text, type, ending) {
	const link = document.createElement('a');
	link.href = URL.createObjectURL(new Blob([text], { type }));
	link.download = `sessions-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}.${ending}`;
	link.click();
	setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
