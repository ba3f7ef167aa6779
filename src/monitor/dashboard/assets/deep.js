// Sessions beyond those that the feed tells of: asked for in the server's list, by the filter.

import { view } from './choice.js';
import { byId, toast } from './dom.js';
import { counted } from './format.js';
import { forServer } from './query.js';

/** Where it stopped, and for which filter. */
let last = { filter: '', cursor: '' };

/**
 * Goes on until there is something new, or nothing more.
 * @param {import('./api.js').Api} api
 * @param {import('./model.js').Model} model
 * @param {() => void} onFound
 */
export async function searchServer(api, model, onFound) {
	const button = byId('deep');
	button.disabled = true;
	try {
		const wanted = forServer(view);
		const filter = JSON.stringify(wanted);
		const before = model.known();
		let cursor = last.filter === filter ? last.cursor : '';
		do {
			const page = await api.list({ ...wanted, limit: '500', ...(cursor && { cursor }) });
			model.take(page.sessions);
			cursor = page.next_cursor ?? '';
		} while (cursor && model.known() === before);
		last = { filter, cursor };
		onFound();
		toast(`${counted(model.known() - before, 'more session')} found on the server${cursor ? '; there may be more' : ''}.`);
	} catch (error) {
		toast(`The server was not searched: ${error.message}`);
	}
	button.disabled = false;
}
