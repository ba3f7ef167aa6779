// What came is drawn once for each frame; while the page is paused it waits.

import { showStats } from './cards.js';
import { view } from './choice.js';
import { byId, write } from './dom.js';
import { showNone } from './empty.js';
import { showEvents } from './events.js';
import { counted, number } from './format.js';
import { isFiltered } from './query.js';
import { ROWS } from './table.js';

/** @typedef {{reset: boolean, changed: Set<string>, events: import('../types.js').SessionEvent[], stats: boolean}} News */

/** @returns {News} */
const nothing = () => ({ reset: false, changed: new Set(), events: [], stats: false });

/**
 * @param {import('./model.js').Model} model
 * @param {import('./table.js').Table} table
 * @param {(key: string) => void} onOpen
 */
export function screenOf(model, table, onOpen) {
	let news = nothing();
	let frame = 0;
	let paused = false;

	/** @param {Partial<News>} more */
	function take({ reset, changed = new Set(), events = [], stats }) {
		news.reset ||= !!reset;
		news.stats ||= !!stats;
		for (const key of changed) news.changed.add(key);
		news.events = news.events.concat(events).slice(-1000);
		if (paused) showPause();
		else frame ||= requestAnimationFrame(draw);
	}

	/** Now, and not in the next frame: somebody waits for it. */
	function draw() {
		cancelAnimationFrame(frame);
		frame = 0;
		if (!model.ready) return;
		byId('boot').hidden = true;
		byId('content').hidden = false;
		const { reset, changed, events, stats } = news;
		news = nothing();
		for (const key of model.prune()) changed.add(key);
		if (reset) table.reset(view);
		else if (changed.size) table.change(changed, view);
		showEvents(events, onOpen);
		if (stats && model.stats) showStats(model.stats);
		showPause();
		tell(table.draw(view));
	}

	function pause() {
		paused = !paused;
		showPause();
		if (!paused) draw();
	}

	function showPause() {
		byId('pause').setAttribute('aria-pressed', String(paused));
		const waiting = news.events.length;
		write(byId('pause'), paused ? `Go on${waiting ? `, ${counted(waiting, 'change')} waiting` : ''}` : 'Pause');
	}

	/** How much is shown, and where the rest is. @param {{matching: number, shown: number, isSorted: boolean}} drawn */
	function tell({ matching, shown, isSorted }) {
		const known = model.known();
		const total = model.stats?.status_breakdown.total ?? known;
		const filtered = isFiltered(view);
		write(byId('count'), (filtered ? `${number(matching)} of ` : '') + counted(total, 'session'));
		byId('resort').hidden = isSorted;
		byId('clear').hidden = !filtered;
		byId('more').hidden = shown >= matching;
		write(byId('more'), `Show ${number(Math.min(ROWS, matching - shown))} more`);
		const beyond = total - known;
		byId('deep').hidden = beyond <= 0;
		write(byId('deep'), filtered ? 'Search the rest on the server' : 'Load more from the server');
		write(byId('limits'), beyond > 0 ? `The ${number(known)} seen last are followed live; ${number(beyond)} more are on the server.` : '');
		byId('table').hidden = matching === 0;
		showNone(matching === 0, filtered);
	}

	return { take, draw, pause, isPaused: () => paused };
}
