// Asking the server. A token is kept for this tab only, and never stands in a URL.

import { keep, kept } from './dom.js';

/** Refused, with what the server says about it. */
export class Refused extends Error {
	/** @param {number} status @param {string} message */
	constructor(status, message) {
		super(message);
		this.status = status;
	}
}

export class Api {
	token = kept('token', 'sessionStorage');

	/** @param {string} token */
	keep(token) {
		this.token = token;
		keep('token', token, 'sessionStorage');
	}

	/** Relative to the page, wherever it is mounted. @param {string} path */
	url(path) {
		return new URL(path, document.baseURI).href;
	}

	/** @returns {Record<string, string>} */
	headers() {
		return this.token ? { Authorization: `Bearer ${this.token}` } : {};
	}

	/** @param {string} path @param {RequestInit} [init] */
	async ask(path, init = {}) {
		const answer = await fetch(this.url(path), { ...init, headers: { ...init.headers, ...this.headers() }, credentials: 'same-origin' });
		if (answer.status === 204) return null;
		const body = await answer.json().catch(() => ({}));
		if (!answer.ok) throw new Refused(answer.status, body.error ?? `The server answers ${answer.status}`);
		return body;
	}

	/** A token for the code of a link, kept. @param {string} code */
	async exchange(code) {
		const headers = { 'Content-Type': 'application/json' };
		this.keep((await this.ask('api/access', { method: 'POST', body: JSON.stringify({ code }), headers })).token);
	}

	health() {
		return this.ask('api/mcp/sessions/health');
	}

	/** @param {Record<string, string>} query */
	list(query) {
		return this.ask(`api/mcp/sessions?${new URLSearchParams(query)}`);
	}

	/** @param {string} key */
	detail(key) {
		return this.ask(`api/mcp/sessions/${key}`, { cache: 'no-store' });
	}

	/** @param {string} key */
	terminate(key) {
		return this.ask(`api/mcp/sessions/${key}`, { method: 'DELETE' });
	}

	/** @param {string} key */
	reconnectToken(key) {
		return this.ask(`api/mcp/sessions/${key}/token`, { cache: 'no-store' });
	}
}
