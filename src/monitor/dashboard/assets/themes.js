// Light, dark, or as the system has it.

import { byId, keep } from './dom.js';

const THEMES = ['', 'light', 'dark'];

/** @param {string} theme */
export function setTheme(theme) {
	if (theme) document.documentElement.dataset.theme = theme;
	else delete document.documentElement.dataset.theme;
	byId('theme').value = theme;
	keep('theme', theme);
}

export function nextTheme() {
	setTheme(THEMES[(THEMES.indexOf(byId('theme').value) + 1) % THEMES.length]);
}
