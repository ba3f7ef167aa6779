// The sessions of the filter as a file.

/** @import { Session } from './model.js' */

const FIELDS = /** @type {const} */ ([
	'session_id', 'client_type', 'client_version', 'status', 'replica', 'protocol_version', 'created_at', 'last_seen_at', 'reconnect_count',
]);

/** @param {Session} session */
const values = (session) =>
	FIELDS.map((name) => (name.endsWith('_at') ? new Date(Number(session[name])).toISOString() : session[name]));

/** As RFC 4180 writes it; what a spreadsheet would take for a formula is marked as text. @param {Session[]} sessions */
export function csv(sessions) {
	const cell = (/** @type {unknown} */ value) => {
		const text = String(value);
		const tame = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
		return /[",\r\n]/.test(tame) ? `"${tame.replaceAll('"', '""')}"` : tame;
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
