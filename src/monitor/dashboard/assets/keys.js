// Single keys. They can be turned off, do nothing where somebody types, and leave everything with Ctrl, Alt or Meta alone.

import { keep, kept } from './dom.js';

export const keysAreOn = () => kept('keys') !== 'off';

/** @param {boolean} on */
export const setKeys = (on) => keep('keys', on ? '' : 'off');

/**
 * @param {Record<string, () => void>} page What keys do
 * @param {Record<string, () => void>} drawer What they do while a session is open
 */
export function listen(page, drawer) {
	addEventListener('keydown', (event) => {
		const target = /** @type {HTMLElement} */ (event.target);
		if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
		if (target.closest('input, select, textarea')) return;
		const isArrow = event.key === 'ArrowDown' || event.key === 'ArrowUp';
		if (isArrow ? !target.closest('tbody') : !keysAreOn()) return;
		const open = document.querySelector('dialog[open]');
		const act = (open === null ? page : open.id === 'drawer' && !document.querySelector('#dialog[open]') ? drawer : {})[event.key];
		if (!act) return;
		event.preventDefault();
		act();
	});
}
