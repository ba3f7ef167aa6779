// Instead of rows: how to begin, or that the filter lets nothing through.

import { byId, copy, h } from './dom.js';

const COUNTS_ONLY = 'Without a secret you see counts here, and no session. Open the link that the server made when it started, or sign in.';

/** @param {boolean} none @param {boolean} filtered */
export function showNone(none, filtered) {
	const place = byId('none');
	const counts = document.body.dataset.role === 'counts';
	const kind = none ? (counts ? 'counts' : filtered ? 'filtered' : 'empty') : '';
	if (place.dataset.kind === kind) return;
	place.dataset.kind = kind;
	place.hidden = !none;
	if (kind === 'empty') place.replaceChildren(...firstSession());
	if (kind === 'counts') place.replaceChildren(COUNTS_ONLY);
	if (kind === 'filtered') place.replaceChildren('No session matches the filter.');
}

function firstSession() {
	const hello = {
		jsonrpc: '2.0',
		id: 0,
		method: 'initialize',
		params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'my-first-client', version: '1.0.0' } },
	};
	const command = [
		`curl -i ${location.origin}/mcp \\`,
		`  -H 'Content-Type: application/json' \\`,
		`  -H 'Accept: application/json, text/event-stream' \\`,
		`  -d '${JSON.stringify(hello)}'`,
	].join('\n');
	return [
		h('strong', {}, 'No sessions yet.'),
		h('p', {}, 'Open the first one; it shows here at once (put your endpoint’s path for /mcp if it has another):'),
		h('pre', {}, h('code', {}, command)),
		h('button', { onclick: () => copy(command, byId('none')) }, 'Copy command'),
	];
}
