// The counts, the last 24 hours, and who the clients are.

import { bar, columns, sparkline } from './charts.js';
import { byId, figures, h, svg, write } from './dom.js';
import { clientOf, counted, decimal, duration, number, share } from './format.js';
import { AGES } from './query.js';

/** Counts of active sessions since the page was opened, evenly. @type {number[]} */
const looks = [];
const MOST_LOOKS = 60;
/** Clients in the list. */
const LISTED = 8;
/** @type {string[]} */
let names = [];
let drawn = '';

/** @param {any} stats */
export function showStats(stats) {
	const { active, disconnected, total } = stats.status_breakdown;
	for (const [name, count] of Object.entries({ active, disconnected, total })) write(byId(`n-${name}`), number(count));
	const of = (/** @type {number} */ count) => (total ? share(count / total) : '');
	write(byId('share-active'), of(active));
	write(byId('share-disconnected'), of(disconnected));
	ages(stats.age_distribution);
	day(stats.connection_health);
	eras(stats.eras);
}

/** @param {any} stats The last ones, if there are any */
export function showActive(stats) {
	if (stats) looks.push(stats.status_breakdown.active);
	if (looks.length > MOST_LOOKS) looks.shift();
	if (looks.length < 3) return;
	byId('spark').replaceChildren(sparkline(looks, 'Active sessions since this page was opened'));
}

/** @param {Record<'healthy' | 'aging' | 'stale', number>} counts */
function ages(counts) {
	const kinds = /** @type {const} */ (['healthy', 'aging', 'stale']);
	for (const kind of kinds) write(byId(`n-${kind}`), number(counts[kind]));
	const [low, high] = [duration(AGES.healthy), duration(AGES.stale)];
	write(byId('healthy-limit'), `< ${low}`);
	write(byId('aging-limit'), `${low}–${high}`);
	write(byId('stale-limit'), `> ${high}`);
	const parts = kinds.map((kind) => ({ label: kind, value: counts[kind], kind }));
	byId('age-bar').replaceChildren(bar(parts, 'Sessions by time since their last activity'));
}

/** @param {any} health */
function day(health) {
	figures(byId('day'), {
		Opened: number(health.total_sessions_24h),
		'Per hour': decimal(health.sessions_per_hour),
		'Avg. duration': duration(health.avg_duration_seconds * 1000),
		Disconnected: share(health.disconnect_rate_percent / 100),
		'Came back': number(health.reconnects_24h),
		Refused: number(health.refused_reconnects_24h),
	});
}

/** @param {any} eras */
function eras(eras) {
	figures(byId('eras'), {
		'Up to 2025-11-25': counted(eras.legacy_sessions, 'session'),
		'From 2026-07-28': `${counted(eras.modern_requests_24h, 'request')} in 24h`,
	});
}

/** @param {any} health @param {(client: string) => void} onClient */
export function showHealth(health, onClient) {
	// Drawn again only if it differs: a table that is open stays open.
	const told = JSON.stringify([health.hours, health.clients]);
	if (told === drawn) return;
	const wasOpen = byId('hours').querySelector('details')?.open ?? false;
	drawn = told;
	byId('hours').replaceChildren(...columns(health.hours));
	byId('hours').querySelector('details')?.toggleAttribute('open', wasOpen);
	showClients(health.clients, onClient);
}

/** @param {any[]} clients @param {(client: string) => void} onClient */
function showClients(clients, onClient) {
	const most = Math.max(1, ...clients.map((client) => client.sessions));
	const line = (/** @type {any} */ client) => {
		const name = clientOf(client);
		const share = svg('rect', { width: (100 * client.sessions) / most, height: 10, class: 'fill opened' });
		const picture = svg('svg', { viewBox: '0 0 100 10', preserveAspectRatio: 'none', class: 'chart bar', 'aria-hidden': true }, share);
		const label = `${name}: show its ${counted(client.sessions, 'session')}`;
		const choose = client.sessions ? h('button', { class: 'link', 'aria-label': label, title: name, onclick: () => onClient(client.client_type) }, name) : name;
		const modern = client.modern_requests_24h;
		const uses = number(client.sessions) + (modern ? ` + ${counted(modern, 'request')}` : '');
		return h('li', {}, choose, h('span', { class: 'quiet' }, uses), picture);
	};
	const more = clients.length - LISTED;
	byId('clients').replaceChildren(
		h('ul', { class: 'clients' }, ...clients.slice(0, LISTED).map(line)),
		more > 0 ? h('p', { class: 'quiet' }, `and ${number(more)} more`) : '',
	);
	names = clients.map((client) => client.client_type);
	offerClients(byId('client').value);
}

/** Names to choose from; the one that is chosen is always among them. @param {string} chosen */
export function offerClients(chosen) {
	const select = byId('client');
	const known = Array.from(select.options, (/** @type {HTMLOptionElement} */ option) => option.value);
	const wanted = ['', ...new Set([...names, chosen].filter(Boolean))];
	if (known.join('\n') !== wanted.join('\n')) {
		const option = (/** @type {string} */ name) => h('option', { value: name }, clientOf({ client_type: name }));
		select.replaceChildren(select.options[0], ...wanted.slice(1).map(option));
	}
	select.value = chosen;
}
