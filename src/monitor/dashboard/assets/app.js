// The page: what comes from the feed goes into the model, what somebody chooses goes into the address, and both are drawn in
// the next frame.

import { Api, Refused } from './api.js';
import { offerClients, showHealth, showStats } from './cards.js';
import { askToken, showHelp } from './dialogs.js';
import { byId, h, toast, write } from './dom.js';
import { Drawer } from './drawer.js';
import { showEvents } from './events.js';
import { csv, json, save } from './export.js';
import { Feed } from './feed.js';
import { counted, number } from './format.js';
import { showStatus } from './indicator.js';
import { keysAreOn, listen, setKeys } from './keys.js';
import { Model } from './model.js';
import { firstDirection, forServer, isFiltered, matches, read, search } from './query.js';
import { ROWS, Table } from './table.js';

/** @typedef {import('./model.js').SessionEvent} SessionEvent */

/** How often what only `health` tells is asked for, and how soon after something happened. */
const HEALTH_MS = 30_000;
const HEALTH_SOON_MS = 3_000;
/** Sessions fetched by one search of the server. */
const DEEP = 500;

const api = new Api();
const model = new Model();
let view = read(location.search);
let access = { role: '', may_terminate: false, reconnect: false, bearer: false };

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
  if (events.length) askHealthSoon();
  drawer.take(events, changed);
  draw();
}

function status() {
  const name = showStatus(feed);
  if (name === 'denied' && !signingIn) signIn('The server asks for a token. Its operator has it.');
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
  none(matching, filtered);
}

/** @param {number} matching @param {boolean} filtered */
function none(matching, filtered) {
  const place = byId('none');
  const kind = matching ? '' : filtered ? 'filtered' : 'empty';
  if (place.dataset.kind === kind) return;
  place.dataset.kind = kind;
  place.hidden = !kind;
  if (kind === 'filtered') {
    place.replaceChildren(h('p', {}, 'No session matches the filter.'), h('p', {}, h('button', { onclick: clear }, 'Clear filter')));
  }
  if (kind === 'empty') place.replaceChildren(...firstSession());
}

function firstSession() {
  const hello = {
    jsonrpc: '2.0',
    id: 0,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'my-first-client', version: '1.0.0' } },
  };
  const snippet = [
    `curl -i ${location.origin}/mcp \\`,
    `  -H 'Content-Type: application/json' \\`,
    `  -H 'Accept: application/json, text/event-stream' \\`,
    `  -d '${JSON.stringify(hello)}'`,
  ].join('\n');
  return [
    h('p', {}, h('strong', {}, 'No sessions yet.')),
    h('p', {}, 'Open the first one; it shows here at once (put your endpoint’s path for /mcp if it has another):'),
    h('pre', { tabindex: 0, 'aria-label': 'Command that opens a session' }, h('code', {}, snippet)),
  ];
}

// --- pausing ---

function pause() {
  paused = !paused;
  if (!paused) waiting = 0;
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
const drawer = new Drawer(api, model, () => access, closed);

/** @param {Partial<import('./query.js').View>} change */
function see(change) {
  Object.assign(view, change);
  history.replaceState(null, '', location.pathname + search(view));
  table.limit = ROWS;
  showView();
  pending.reset = true;
  flush();
}

/** The controls say what the address says. */
function showView() {
  for (const name of /** @type {const} */ (['q', 'status', 'age'])) {
    const field = /** @type {HTMLInputElement} */ (byId(name));
    if (field.value !== view[name]) field.value = view[name];
  }
  offerClients(view.client);
  for (const button of document.querySelectorAll('[data-filter]')) {
    const wanted = [...new URLSearchParams(/** @type {HTMLElement} */ (button).dataset.filter)];
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
    /** @type {import('./model.js').Session[]} */
    const found = [];
    do {
      const page = await api.list({ ...forServer(view), limit: String(DEEP), ...(cursor ? { cursor } : {}) });
      found.push(...page.sessions.filter((/** @type {any} */ session) => !model.sessions.has(session.session_id)));
      cursor = page.next_cursor ?? '';
    } while (cursor && found.length < DEEP);
    model.take(found);
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

// --- what only health tells ---

let healthTimer = 0;
let healthDue = 0;

function askHealthSoon() {
  const at = Date.now() + HEALTH_SOON_MS;
  if (healthDue && healthDue <= at) return;
  clearTimeout(healthTimer);
  healthDue = at;
  healthTimer = window.setTimeout(askHealth, HEALTH_SOON_MS);
}

async function askHealth() {
  clearTimeout(healthTimer);
  healthDue = 0;
  try {
    const health = await api.health();
    access = health.access;
    byId('problem').hidden = true;
    showAccess();
    if (!paused) {
      showStats(health);
      showHealth(health, (client) => see({ client }));
    }
  } catch (error) {
    explain(error);
  }
  if (document.visibilityState === 'visible') {
    healthDue = Date.now() + HEALTH_MS;
    healthTimer = window.setTimeout(askHealth, HEALTH_MS);
  }
}

/** @param {any} error */
function explain(error) {
  // Whether the server is there at all, the indicator says.
  if (!(error instanceof Refused) || error.status === 401 || error.status === 403) return;
  write(byId('problem'), `The counts of the last 24 hours cannot be had: ${error.message}`);
  byId('problem').hidden = false;
}

function showAccess() {
  const badge = byId('read-only');
  badge.hidden = access.may_terminate || access.reconnect;
  badge.title = access.role === 'admin' ? 'The operator allows no actions here: allow_terminate(true) does.' : 'You may look, and not act.';
  byId('sign-in').hidden = !access.bearer;
  write(byId('sign-in'), api.token ? 'Signed in' : 'Sign in');
}

let signingIn = false;

/** @param {string} why */
async function signIn(why) {
  signingIn = true;
  drawer.close();
  const token = await askToken(why, api.token !== '');
  signingIn = false;
  if (token === null) {
    if (feed.status().name === 'denied') byId('sign-in').hidden = false;
    return;
  }
  api.keep(token);
  feed.start();
  askHealth();
}

// --- the theme ---

const THEMES = ['', 'light', 'dark'];

/** @param {string} theme */
function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  byId('theme').value = theme;
  try {
    localStorage.setItem('mcp-sessions.theme', theme);
  } catch {
    // It lasts as long as the page.
  }
}

const theme = () => document.documentElement.dataset.theme ?? '';

// --- controls ---

/** @param {string} id @param {() => void} act */
const on = (id, act) => byId(id).addEventListener('click', act);
on('pause', pause);
on('help', help);
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
byId('theme').addEventListener('change', ({ target }) => setTheme(/** @type {HTMLSelectElement} */ (target).value));
for (const name of /** @type {const} */ (['q', 'status', 'age', 'client'])) {
  byId(name).addEventListener('input', ({ target }) => see({ [name]: /** @type {HTMLInputElement} */ (target).value }));
}
byId('q').addEventListener('keydown', (event) => {
  if (event.key === 'Escape') see({ q: '' });
  if (event.key === 'ArrowDown') table.step(1);
});
for (const button of document.querySelectorAll('[data-filter]')) {
  button.addEventListener('click', () => {
    const wanted = Object.fromEntries(new URLSearchParams(/** @type {HTMLElement} */ (button).dataset.filter));
    const off = button.getAttribute('aria-pressed') === 'true';
    see(off ? { status: '', age: '' } : { status: '', age: '', ...wanted });
  });
}

/** @param {(sessions: import('./model.js').Session[]) => string} format @param {string} type @param {string} ending */
function exported(format, type, ending) {
  const sessions = table.sessions();
  save(format(sessions), type, ending);
  const beyond = (model.stats?.status_breakdown.total ?? 0) - model.known();
  toast(`${counted(sessions.length, 'session')} exported${beyond > 0 ? '; those not loaded from the server are not among them' : ''}.`);
}

function help() {
  showHelp(keysAreOn(), setKeys);
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
    t: () => setTheme(THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length]),
    '?': help,
  },
  { c: () => drawer.copyKey() },
);

function wake() {
  if (document.visibilityState !== 'visible') return;
  feed.wake();
  askHealth();
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

setTheme(theme());
showView();
feed.start();
askHealth();
if (view.session) drawer.open(view.session);
