// Numbers, times and foreign text as people read them.

const LOCALE = globalThis.navigator?.language;
const whole = new Intl.NumberFormat(LOCALE);
const tenths = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat(LOCALE, { style: 'percent', maximumFractionDigits: 1 });
// As logs write it, whatever the language.
const hourCycle = 'h23';
const clock = new Intl.DateTimeFormat(LOCALE, { hourCycle, timeStyle: 'medium' });
const hourOfDay = new Intl.DateTimeFormat(LOCALE, { hourCycle, timeStyle: 'short' });
const moment = new Intl.DateTimeFormat(LOCALE, { hourCycle, dateStyle: 'medium', timeStyle: 'medium' });

/** @param {string} unit */
const unitOf = (unit) =>
	new Intl.NumberFormat(LOCALE, { style: 'unit', unit, unitDisplay: 'narrow', maximumFractionDigits: 0 });
const units = { day: unitOf('day'), hour: unitOf('hour'), minute: unitOf('minute'), second: unitOf('second') };

/** @typedef {(value: number) => string} Format */
/** @type {Format} */
export const number = (value) => whole.format(value);
/** @type {Format} */
export const decimal = (value) => tenths.format(value);
/** Of a part, from 0 to 1. @type {Format} */
export const share = (value) => percent.format(value);
/** @type {Format} */
export const time = (at) => clock.format(at);
/** @type {Format} */
export const hour = (at) => hourOfDay.format(at);
/** @type {Format} */
export const date = (at) => moment.format(at);

/** A span of time in its two greatest units. @param {number} ms */
export function duration(ms) {
	const seconds = Math.max(0, Math.round(ms / 1000));
	const [minutes, hours, days] = [Math.floor(seconds / 60), Math.floor(seconds / 3600), Math.floor(seconds / 86400)];
	if (days) return join(units.day.format(days), hours % 24 && units.hour.format(hours % 24));
	if (hours) return join(units.hour.format(hours), minutes % 60 && units.minute.format(minutes % 60));
	if (minutes >= 10) return units.minute.format(minutes);
	if (minutes) return join(units.minute.format(minutes), seconds % 60 && units.second.format(seconds % 60));
	return units.second.format(seconds);
}

/** @param {string} first @param {string | 0} second */
const join = (first, second) => (second ? `${first} ${second}` : first);

// Control characters, invisible ones, and those that turn the direction of what follows; as the server's logs have it.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** What a client says of itself, with everything visible that would hide or turn something. @param {string} text */
export function visible(text) {
	const code = (/** @type {string} */ char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
	return text.replace(UNSEEN, code);
}

/** @param {{client_type: string, client_version?: string}} session */
export function clientOf(session) {
	const name = visible(session.client_type) || 'unnamed client';
	return session.client_version ? `${name} ${visible(session.client_version)}` : name;
}

/** @param {number} count @param {string} one @param {string} [many] */
export const counted = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;
