// Elements. Data becomes text nodes and attributes, never markup.

/** An element of the page, whatever its kind. @param {string} id */
export const byId = (id) =>
	/** @type {HTMLInputElement & HTMLSelectElement & HTMLDialogElement} */ (document.getElementById(id));

/**
 * Makes an element.
 * @param {string} tag
 * @param {Record<string, any>} [attributes] `on…` are listeners; `null`, `undefined` and `false` are left out
 * @param {...(Node | string | null | undefined)} children
 * @returns {any}
 */
export function h(tag, attributes = {}, ...children) {
	return make(document.createElement(tag), attributes, children);
}

/**
 * The same of SVG.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | null | undefined)} children
 */
export function svg(tag, attributes = {}, ...children) {
	return make(document.createElementNS(SVG, tag), attributes, children);
}

const SVG = 'http://www.w3.org/2000/svg';

/** @template {Element} E @param {E} element @param {Record<string, any>} attributes @param {any[]} children */
function make(element, attributes, children) {
	for (const [name, value] of Object.entries(attributes)) {
		if (value === null || value === undefined || value === false) continue;
		if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
		else element.setAttribute(name, value === true ? '' : String(value));
	}
	fill(element, ...children);
	return element;
}

/** Gives an element these children and no others; what is nothing or empty is left out. @param {Element} element @param {...any} children */
export function fill(element, ...children) {
	element.replaceChildren(...children.filter((child) => child !== null && child !== undefined && child !== ''));
}

/** Writes text only where it differs: selections stay, nothing is painted for nothing. @param {Element} element @param {string} text */
export function write(element, text) {
	if (element.textContent !== text) element.textContent = text;
}

/** Names and values in a list of definitions, which is written into again and again. @param {Element} list @param {Record<string, string>} values */
export function figures(list, values) {
	Object.entries(values).forEach(([name, value], index) => {
		const line = list.children[index] ?? list.appendChild(h('div', {}, h('dt', {}, name), h('dd')));
		write(/** @type {Element} */ (line.lastChild), value);
	});
}

/** What this browser keeps, if it keeps anything. @param {string} name @param {'localStorage' | 'sessionStorage'} where */
export function kept(name, where = 'localStorage') {
	try {
		return window[where].getItem(`mcp-sessions.${name}`) ?? '';
	} catch {
		return '';
	}
}

/** Keeps it; empty is forgotten. @param {string} name @param {string} value @param {'localStorage' | 'sessionStorage'} where */
export function keep(name, value, where = 'localStorage') {
	try {
		if (value) window[where].setItem(`mcp-sessions.${name}`, value);
		else window[where].removeItem(`mcp-sessions.${name}`);
	} catch {
		// It lasts as long as the page.
	}
}

let toastTimer = 0;

/** Says something for a while. @param {string} text */
export function toast(text) {
	const place = byId('toast');
	place.textContent = text;
	place.classList.add('shown');
	clearTimeout(toastTimer);
	toastTimer = window.setTimeout(() => place.classList.remove('shown'), 6000);
}

/** Copies text, also where the page is no secure context. @param {string} text @param {HTMLElement} near */
export async function copy(text, near) {
	try {
		await navigator.clipboard.writeText(text);
	} catch {
		const field = h('textarea', { readonly: true, class: 'visually-hidden' });
		field.value = text;
		near.append(field);
		field.select();
		const copied = document.execCommand('copy');
		field.remove();
		if (!copied) return toast('This browser does not let the page copy. Select the text instead.');
	}
	toast('Copied.');
}
