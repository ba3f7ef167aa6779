// What somebody chooses to see. The address keeps it, and the controls say what the address says.

import { offerClients } from './cards.js';
import { byId } from './dom.js';
import { firstDirection, read, search } from './query.js';

/** @import { View } from './query.js' */

export const view = read(location.search);

const FIELDS = /** @type {const} */ (['q', 'status', 'age', 'client']);
/** @type {NodeListOf<HTMLElement>} */
const buttons = document.querySelectorAll('[data-filter]');
let onChoice = () => {};

/** @param {Partial<View>} change */
export function see(change) {
	Object.assign(view, change);
	remember();
	showChoice();
	onChoice();
}

/** @param {'replaceState' | 'pushState'} [how] */
export function remember(how = 'replaceState') {
	history[how](null, '', location.pathname + search(view));
}

/** Somebody went back or forth. */
export function recall() {
	Object.assign(view, read(location.search));
	showChoice();
	onChoice();
}

export function clear() {
	see({ status: '', age: '', client: '', q: '' });
}

/** @param {string} column */
export function sort(column) {
	const turned = view.dir === 'asc' ? 'desc' : 'asc';
	see({ sort: column, dir: view.sort === column ? turned : firstDirection(column) });
}

function showChoice() {
	offerClients(view.client);
	for (const name of FIELDS) if (byId(name).value !== view[name]) byId(name).value = view[name];
	for (const button of buttons) {
		const wanted = [...new URLSearchParams(button.dataset.filter)];
		const chosen = wanted.length > 0 && wanted.every(([name, value]) => view[/** @type {'status'} */ (name)] === value);
		button.setAttribute('aria-pressed', String(chosen));
	}
}

/** @param {() => void} act What follows a choice */
export function listenToChoices(act) {
	onChoice = act;
	for (const name of FIELDS) byId(name).addEventListener('input', () => see({ [name]: byId(name).value }));
	for (const button of buttons) {
		button.addEventListener('click', () => {
			const chosen = button.getAttribute('aria-pressed') === 'true';
			const wanted = chosen ? {} : Object.fromEntries(new URLSearchParams(button.dataset.filter));
			see({ status: '', age: '', ...wanted });
		});
	}
	showChoice();
}
