// The page, put together: what comes from the feed goes into the model, what somebody chooses into the address, and the screen
// draws both.

import { Api } from './api.js';
import { showActive, showHealth } from './cards.js';
import { clear, listenToChoices, recall, remember, see, sort, view } from './choice.js';
import { searchServer } from './deep.js';
import { askToken, showHelp } from './dialogs.js';
import { byId, kept, toast } from './dom.js';
import { drawerOf } from './drawer.js';
import { csv, json, save } from './export.js';
import { feedOf } from './feed.js';
import { counted } from './format.js';
import { Health } from './health.js';
import { showStatus } from './indicator.js';
import { listen } from './keys.js';
import { Model } from './model.js';
import { screenOf } from './screen.js';
import { tableOf } from './table.js';
import { nextTheme, setTheme } from './themes.js';

const api = new Api();
const model = new Model();
const table = tableOf(model, { onOpen: open, onSort: sort });
const screen = screenOf(model, table, open);
const health = new Health(api, told);
const drawer = drawerOf(api, model, () => health.access, closed);
const feed = feedOf(
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

/** @param {import('../types.js').Update} update */
function take(update) {
	const news = model.apply(update);
	screen.take({ ...news, stats: update.stats !== undefined });
	if (news.events.length) health.askSoon();
	drawer.take(news.events, news.changed);
}

function status() {
	const changed = showStatus(feed);
	if (changed && feed.status().name === 'denied') signIn('The server asks for a token. Its operator has it.');
}

/** @param {any} answer What `health` tells */
function told(answer) {
	if (screen.isPaused()) return;
	model.stats = answer;
	screen.take({ stats: true });
	document.body.dataset.role = answer.access.role;
	showHealth(answer, (client) => see({ client }));
}

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

/** Everything in its place again. */
function redraw() {
	screen.take({ reset: true });
	screen.draw();
}

// --- one session ---

/** @type {Element | null} What had the focus before. */
let opener = null;

/** @param {string} key */
function open(key) {
	if (view.session !== key) {
		view.session = key;
		remember('pushState');
	}
	opener = document.activeElement;
	drawer.open(key);
}

function closed() {
	const key = view.session;
	if (key) {
		view.session = '';
		remember();
	}
	if (opener instanceof HTMLElement && opener.isConnected && opener !== document.body) opener.focus();
	else if (!table.focus(key)) byId('sessions-title').focus();
}

addEventListener('popstate', () => {
	recall();
	if (view.session) drawer.open(view.session);
	else drawer.close();
});

// --- controls ---

listenToChoices(() => {
	table.extend(false);
	redraw();
});

/** @param {string} id @param {() => void} act */
const on = (id, act) => byId(id).addEventListener('click', act);
const resort = () => see({});
on('pause', screen.pause);
on('help', showHelp);
on('sign-in', () => signIn('With a token you may see or do more here.'));
on('resort', resort);
on('clear', clear);
on('more', () => {
	table.extend(true);
	screen.draw();
});
on('deep', () => searchServer(api, model, redraw));
on('export-csv', () => exported(csv, 'text/csv', 'csv'));
on('export-json', () => exported(json, 'application/json', 'json'));
byId('theme').addEventListener('change', () => setTheme(byId('theme').value));
byId('q').addEventListener('keydown', (event) => {
	if (event.key === 'Escape') see({ q: '' });
	if (event.key === 'ArrowDown') table.step(1);
});

/** @param {(sessions: import('../types.js').Session[]) => string} format @param {string} type @param {string} ending */
function exported(format, type, ending) {
	const sessions = table.sessions();
	save(format(sessions), type, ending);
	const beyond = (model.stats?.status_breakdown.total ?? 0) - model.known();
	toast(`${counted(sessions.length, 'session')} exported${beyond > 0 ? '; the server has more' : ''}.`);
}

listen(
	{
		'/': () => byId('q').focus(),
		j: () => table.step(1),
		k: () => table.step(-1),
		ArrowDown: () => table.step(1),
		ArrowUp: () => table.step(-1),
		p: screen.pause,
		r: resort,
		x: clear,
		t: nextTheme,
		'?': showHelp,
	},
	{ c: drawer.copyKey },
);

// --- time ---

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
	if (screen.isPaused() || !model.ready) return;
	table.tick();
	drawer.tick();
	const gone = model.prune();
	// By the clock alone a session may leave its age.
	if (gone.length || view.age) screen.take({ changed: new Set(view.age ? [...model.sessions.keys(), ...gone] : gone) });
}, 1000);
setInterval(() => showActive(model.stats), 5000);

/** Somebody opened the link that the server made: its code leaves the address, and a token comes for it. */
async function enter() {
	const code = /^#code=(.+)/.exec(location.hash)?.[1];
	if (code) {
		remember();
		await api.exchange(code).catch((error) => toast(error.message));
	}
	feed.start();
	health.ask();
}
addEventListener('hashchange', enter);

setTheme(kept('theme'));
await enter();
if (view.session) drawer.open(view.session);
