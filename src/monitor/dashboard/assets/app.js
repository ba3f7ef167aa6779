// The page: what comes from the feed goes into the model, what somebody chooses goes into the address, and both are drawn in
// the next frame.

import { Api } from './api.js';
import { offerClients, showHealth, showStats } from './cards.js';
import { askToken, showHelp } from './dialogs.js';
import { byId, kept, toast, write } from './dom.js';
import { Drawer } from './drawer.js';
import { showNone } from './empty.js';
import { showEvents } from './events.js';
import { csv, json, save } from './export.js';
import { Feed } from './feed.js';
import { counted, number } from './format.js';
import { Health } from './health.js';
import { showStatus } from './indicator.js';
import { listen } from './keys.js';
import { Model } from './model.js';
import { firstDirection, forServer, isFiltered, read, search } from './query.js';
import { ROWS, Table } from './table.js';
import { nextTheme, setTheme } from './themes.js';

/** @typedef {import('./model.js').Session} Session */
/** @typedef {import('./model.js').SessionEvent} SessionEvent */

/** Sessions fetched by one search of the server. */
const DEEP = 500;

const api = new Api();
const model = new Model();
const view = read(location.search);
const health = new Health(api, told);

// --- the feed ---

const feed = new Feed(
	{
		fetch: (...ask) => fetch(...ask),
		WebSocket,
		url: (path) => api.url(path),
		headers: () => api.headers(),
		token: () => api.token,
		isVisible: () => document.visibilityState === 'visible',
		now: () => Date.now(),
		random: () => Math.random(),
		later: (run, ms) => setTimeout(run, ms),
		never: (timer) => clearTimeout(timer),
	},
	{ onUpdate: take, onStatus: status },
);

/** @param {import('./model.js').Update} update */
function take(update) {
	const { reset, changed, events } = model.apply(update);
	pending.reset ||= reset;
	for (const key of changed) pending.changed.add(key);
	pending.events.push(...events);
	pending.stats ||= update.stats !== undefined;
	if (paused) waiting += events.length;
	if (events.length) health.askSoon();
	drawer.take(events, changed);
	draw();
}

function status() {
	const { name } = feed.status();
	const denied = showStatus(feed) && name === 'denied';
	if (denied) signIn('The server asks for a token. Its operator has it.');
}

/** @param {any} answer What `health` tells */
function told(answer) {
	if (paused) return;
	model.stats = answer;
	pending.stats = true;
	draw();
	showHealth(answer, (client) => see({ client }));
}

// --- drawing, once for each frame ---

const pending = { reset: false, changed: /** @type {Set<string>} */ (new Set()), events: /** @type {SessionEvent[]} */ ([]), stats: false };
let frame = 0;
let paused = false;
let waiting = 0;

function draw() {
	if (paused) return showPause();
	frame ||= requestAnimationFrame(() => {
		frame = 0;
		flush();
	});
}

function flush() {
	if (!model.ready) return;
	byId('boot').hidden = true;
	byId('content').hidden = false;
	for (const key of model.prune()) pending.changed.add(key);
	if (pending.reset) table.reset(view);
	else if (pending.changed.size) table.change(pending.changed, view);
	showEvents(pending.events, open);
	if (pending.stats && model.stats) showStats(model.stats);
	Object.assign(pending, { reset: false, changed: new Set(), events: [], stats: false });
	waiting = 0;
	showPause();
	tell(table.draw(view));
}

/** @param {{matching: number, shown: number, isSorted: boolean}} drawn */
function tell({ matching, shown, isSorted }) {
	const total = model.stats?.status_breakdown.total ?? model.known();
	const filtered = isFiltered(view);
	write(byId('count'), filtered ? `${number(matching)} of ${counted(total, 'session')}` : counted(total, 'session'));
	byId('resort').hidden = isSorted;
	byId('clear').hidden = !filtered;
	byId('more').hidden = shown >= matching;
	write(byId('more'), `Show ${number(Math.min(ROWS, matching - shown))} more`);
	const beyond = total - model.known();
	byId('deep').hidden = beyond <= 0;
	write(byId('deep'), filtered ? 'Search the rest on the server' : 'Load more from the server');
	const rows = shown < matching ? `${number(shown)} of ${number(matching)} rows are shown. ` : '';
	const live = beyond > 0 ? `The ${number(model.known())} seen last are followed live; ${number(beyond)} more are on the server.` : '';
	write(byId('limits'), rows + live);
	byId('table').hidden = matching === 0;
	showNone(matching === 0, filtered, clear);
}

// --- pausing ---

function pause() {
	paused = !paused;
	showPause();
	draw();
}

function showPause() {
	byId('pause').setAttribute('aria-pressed', String(paused));
	const news = waiting ? `, ${counted(waiting, 'change')} waiting` : '';
	write(byId('pause'), paused ? `Go on${news}` : 'Pause');
}

// --- what somebody wants to see ---

const table = new Table(model, { onOpen: open, onSort: sort });
const drawer = new Drawer(api, model, () => health.access, closed);

/** @param {Partial<import('./query.js').View>} change */
function see(change) {
	Object.assign(view, change);
	history.replaceState(null, '', location.pathname + search(view));
	table.limit = ROWS;
	showView();
	pending.reset = true;
	flush();
}

/** @type {NodeListOf<HTMLElement>} */
const choices = document.querySelectorAll('[data-filter]');

/** The controls say what the address says. */
function showView() {
	for (const name of /** @type {const} */ (['q', 'status', 'age'])) {
		if (byId(name).value !== view[name]) byId(name).value = view[name];
	}
	offerClients(view.client);
	for (const button of choices) {
		const wanted = [...new URLSearchParams(button.dataset.filter)];
		const chosen = wanted.length > 0 && wanted.every(([name, value]) => view[/** @type {'status'} */ (name)] === value);
		button.setAttribute('aria-pressed', String(chosen));
	}
}

function clear() {
	see({ status: '', age: '', client: '', q: '' });
}

/** @param {string} column */
function sort(column) {
	const turned = view.dir === 'asc' ? 'desc' : 'asc';
	see({ sort: column, dir: view.sort === column ? turned : firstDirection(column) });
}

/** @param {string} key */
function open(key) {
	if (view.session !== key) {
		view.session = key;
		history.pushState(null, '', location.pathname + search(view));
	}
	opener = document.activeElement;
	drawer.open(key);
}

/** @type {Element | null} */
let opener = null;

function closed() {
	const key = view.session;
	if (key) {
		view.session = '';
		history.replaceState(null, '', location.pathname + search(view));
	}
	if (opener instanceof HTMLElement && opener.isConnected && opener !== document.body) opener.focus();
	else if (!table.focus(key)) byId('sessions-title').focus();
}

addEventListener('popstate', () => {
	const { session, ...others } = read(location.search);
	Object.assign(view, others, { session });
	showView();
	pending.reset = true;
	flush();
	if (session) drawer.open(session);
	else drawer.close();
});

async function deep() {
	const button = byId('deep');
	button.disabled = true;
	try {
		const before = model.known();
		let cursor = deepCursor.filter === search(view) ? deepCursor.next : '';
		do {
			const page = await api.list({ ...forServer(view), limit: String(DEEP), ...(cursor && { cursor }) });
			model.take(page.sessions);
			cursor = page.next_cursor ?? '';
		} while (cursor && model.known() === before);
		deepCursor = { filter: search(view), next: cursor };
		pending.reset = true;
		flush();
		toast(`${counted(model.known() - before, 'more session')} found on the server${cursor ? '; there may be more' : ''}.`);
	} catch (error) {
		toast(`The server was not searched: ${error.message}`);
	}
	button.disabled = false;
}

let deepCursor = { filter: '', next: '' };

// --- access ---

/** @param {string} why */
async function signIn(why) {
	drawer.close();
	const token = await askToken(why, api.token !== '');
	byId('sign-in').hidden = false;
	if (token === null) return;
	api.keep(token);
	feed.start();
	health.ask();
}

// --- controls ---

/** @param {string} id @param {() => void} act */
const on = (id, act) => byId(id).addEventListener('click', act);
on('pause', pause);
on('help', showHelp);
on('sign-in', () => signIn('With a token you may see or do more here.'));
on('resort', () => see({}));
on('clear', clear);
on('more', () => {
	table.limit += ROWS;
	flush();
});
on('deep', deep);
on('export-csv', () => exported(csv, 'text/csv', 'csv'));
on('export-json', () => exported(json, 'application/json', 'json'));
byId('theme').addEventListener('change', () => setTheme(byId('theme').value));
for (const name of /** @type {const} */ (['q', 'status', 'age', 'client'])) {
	byId(name).addEventListener('input', () => see({ [name]: byId(name).value }));
}
byId('q').addEventListener('keydown', (event) => {
	if (event.key === 'Escape') see({ q: '' });
	if (event.key === 'ArrowDown') table.step(1);
});
for (const button of choices) {
	button.addEventListener('click', () => {
		const chosen = button.getAttribute('aria-pressed') === 'true';
		const wanted = chosen ? {} : Object.fromEntries(new URLSearchParams(button.dataset.filter));
		see({ status: '', age: '', ...wanted });
	});
}

/** @param {(sessions: Session[]) => string} format @param {string} type @param {string} ending */
function exported(format, type, ending) {
	const sessions = table.sessions();
	save(format(sessions), type, ending);
	const beyond = (model.stats?.status_breakdown.total ?? 0) - model.known();
	toast(`${counted(sessions.length, 'session')} exported${beyond > 0 ? '; those not loaded from the server are not among them' : ''}.`);
}

listen(
	{
		'/': () => byId('q').focus(),
		j: () => table.step(1),
		k: () => table.step(-1),
		ArrowDown: () => table.step(1),
		ArrowUp: () => table.step(-1),
		p: pause,
		r: () => see({}),
		x: clear,
		t: nextTheme,
		'?': showHelp,
	},
	{ c: () => drawer.copyKey() },
);

function wake() {
	if (document.visibilityState !== 'visible') return;
	feed.wake();
	health.ask();
}
document.addEventListener('visibilitychange', wake);
addEventListener('focus', wake);
addEventListener('online', wake);

setInterval(() => {
	status();
	if (paused || !model.ready) return;
	table.tick();
	drawer.tick();
	const gone = model.prune();
	if (view.age) table.recheck(view);
	if (gone.length || view.age) {
		for (const key of gone) pending.changed.add(key);
		draw();
	}
}, 1000);

setTheme(kept('theme'));
showView();
feed.start();
health.ask();
if (view.session) drawer.open(view.session);
