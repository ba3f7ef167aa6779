// Small charts in SVG: an image with one sentence that says what it shows, and where there is more to read, a table.

import { h, svg } from './dom.js';
import { counted, hour, number } from './format.js';

/**
 * One bar of several parts.
 * @param {{label: string, value: number, kind: string}[]} parts
 * @param {string} what
 */
export function bar(parts, what) {
	const total = parts.reduce((sum, part) => sum + part.value, 0);
	const said = parts.map((part) => `${part.label} ${number(part.value)}`).join(', ');
	let x = 0;
	const pieces = parts.map((part) => {
		const width = total ? (100 * part.value) / total : 0;
		const piece = svg('rect', { x, y: 0, width, height: 10, class: `fill ${part.kind}` });
		x += width;
		return piece;
	});
	return image(`${what}: ${said}`, '0 0 100 10', 'bar', [svg('rect', { width: 100, height: 10, class: 'fill none' }), ...pieces]);
}

/**
 * A line of the last values.
 * @param {number[]} values
 * @param {string} what
 */
export function sparkline(values, what) {
	const high = Math.max(...values, 1);
	// A small change looks small.
	const low = Math.min(...values, 0.8 * high);
	const step = 100 / Math.max(1, values.length - 1);
	const at = (/** @type {number} */ value) => 18 - (16 * (value - low)) / (high - low);
	const points = values.map((value, index) => `${(index * step).toFixed(1)},${at(value).toFixed(1)}`).join(' ');
	const said = `${what}: from ${number(values[0])} to ${number(values[values.length - 1])}`;
	return image(said, '0 0 100 20', 'spark', [svg('polyline', { points, class: 'line' })]);
}

/** @typedef {{at: number, opened: number, disconnected: number, reconnected: number, ended: number}} Hour */

/** Columns for the hours of a day: sessions opened, and in each column those that came back. @param {Hour[]} hours */
export function columns(hours) {
	const most = Math.max(...hours.map((one) => one.opened + one.reconnected));
	const sum = (/** @type {'opened' | 'reconnected'} */ name) => hours.reduce((all, one) => all + one[name], 0);
	const busiest = hours.reduce((best, one) => (one.opened > best.opened ? one : best), hours[0]);
	const said =
		`Sessions by the hour: ${number(sum('opened'))} opened, ${counted(sum('reconnected'), 'return')}; ` +
		(busiest.opened ? `most opened in the hour from ${hour(busiest.at)}, ${number(busiest.opened)}` : 'none opened');
	const scale = (/** @type {number} */ value) => (60 * value) / (most || 1);
	const groups = hours.map((one, index) => {
		const [opened, back] = [scale(one.opened), scale(one.reconnected)];
		return svg(
			'g',
			{},
			svg('title', {}, sentence(one)),
			svg('rect', { x: index * 10, y: 0, width: 10, height: 60, class: 'touch' }),
			svg('rect', { x: index * 10 + 1, y: 60 - opened, width: 8, height: opened, class: 'fill opened' }),
			svg('rect', { x: index * 10 + 1, y: 60 - opened - back, width: 8, height: back, class: 'fill reconnected' }),
		);
	});
	return [
		image(said, `0 0 ${hours.length * 10} 60`, 'hours', groups),
		h('p', { class: 'axis' }, h('span', {}, hour(hours[0].at)), h('span', {}, 'now')),
		h('figcaption', { class: 'axis' }, key('opened', 'opened'), key('reconnected', 'came back'), `busiest hour ${number(most)}`),
		table(hours),
	];
}

/** @param {Hour} one */
function sentence(one) {
	return `${hour(one.at)}: ${number(one.opened)} opened, ${number(one.reconnected)} came back, ${number(one.disconnected)} disconnected, ${number(one.ended)} ended`;
}

/** @param {string} kind @param {string} text */
const key = (kind, text) => h('span', {}, h('span', { class: `mark ${kind}`, 'aria-hidden': 'true' }), text);

/** @param {Hour[]} hours */
function table(hours) {
	const head = ['Hour', 'Opened', 'Back', 'Disconnected', 'Ended'].map((text) => h('th', { scope: 'col' }, text));
	const rows = hours.map((one) =>
		h(
			'tr',
			{},
			h('th', { scope: 'row' }, hour(one.at)),
			...[one.opened, one.reconnected, one.disconnected, one.ended].map((value) => h('td', {}, number(value))),
		),
	);
	const whole = h('table', { class: 'plain' }, h('thead', {}, h('tr', {}, ...head)), h('tbody', {}, ...rows));
	return h('details', {}, h('summary', {}, 'As a table'), whole);
}

/** @param {string} label @param {string} viewBox @param {string} kind @param {Node[]} parts */
function image(label, viewBox, kind, parts) {
	const attributes = { role: 'img', 'aria-label': label, viewBox, preserveAspectRatio: 'none', class: `chart ${kind}` };
	return svg('svg', attributes, ...parts);
}
