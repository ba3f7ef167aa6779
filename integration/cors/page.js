// A page that uses an MCP session of another origin, with nothing but fetch.

const INITIALIZE = {
	jsonrpc: '2.0',
	id: 0,
	method: 'initialize',
	params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'a page', version: '1' } },
};

class Endpoint {
	constructor(url) {
		this.url = url;
		this.headers = {};
	}

	ask(method, headers, message, signal) {
		const all = { Accept: 'application/json, text/event-stream', ...this.headers, ...headers };
		if (message !== undefined) all['Content-Type'] = 'application/json';
		return fetch(this.url, { method, headers: all, body: message && JSON.stringify(message), signal });
	}

	post(message, headers, signal) {
		return this.ask('POST', headers, message, signal);
	}

	call(id, name, args, signal) {
		const params = { name, arguments: args, _meta: { progressToken: 'steps' } };
		return this.post({ jsonrpc: '2.0', id, method: 'tools/call', params }, {}, signal);
	}

	async open(headers) {
		const answer = await this.post(INITIALIZE, headers);
		await answer.text();
		const id = answer.headers.get('Mcp-Session-Id');
		this.headers = { 'Mcp-Session-Id': id, 'MCP-Protocol-Version': '2025-11-25' };
		const confirmed = await this.post({ jsonrpc: '2.0', method: 'notifications/initialized' });
		return { status: answer.status, id, token: answer.headers.get('Mcp-Reconnect-Token'), confirmed: confirmed.status };
	}
}

/** The messages of an event stream, each with the id of its event, as they come. */
async function* events(answer) {
	let pending = '';
	for await (const part of answer.body.pipeThrough(new TextDecoderStream())) {
		const blocks = (pending + part).split('\n\n');
		pending = blocks.pop();
		for (const block of blocks) {
			const field = (name) => block.split('\n').find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
			if (field('data')) yield { id: field('id'), message: JSON.parse(field('data')) };
		}
	}
}

async function textOf(answer) {
	return (await answer.json()).result.content[0].text;
}

/** Where the page is told of a note. */
async function listen(endpoint) {
	const cut = new AbortController();
	const stream = await endpoint.ask('GET', { Accept: 'text/event-stream' }, undefined, cut.signal);
	const heard = events(stream).next();
	await (await endpoint.call(2, 'note_put', { name: 'n', value: 'from a page' })).text();
	const method = (await heard).value.message.method;
	cut.abort();
	return method;
}

/** The steps of a call whose stream is cut after the third. */
async function resume(endpoint) {
	const cut = new AbortController();
	const steps = [];
	let last;
	for await (const { id, message } of events(await endpoint.call(3, 'countdown', { from: 10, interval_ms: 50 }, cut.signal))) {
		steps.push(message.params.progress);
		last = id;
		if (steps.length === 3) break;
	}
	cut.abort();
	const stream = await endpoint.ask('GET', { Accept: 'text/event-stream', 'Last-Event-ID': last });
	for await (const { message } of events(stream)) steps.push(message.params?.progress ?? message.result.content[0].text);
	return steps;
}

async function refusal(answer) {
	return { status: answer.status, said: (await answer.json()).error.message };
}

async function modern(url) {
	const meta = {
		'io.modelcontextprotocol/protocolVersion': '2026-07-28',
		'io.modelcontextprotocol/clientCapabilities': {},
	};
	const params = { name: 'echo', arguments: { text: 'modern' }, _meta: meta };
	const headers = { 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'tools/call', 'Mcp-Name': 'echo', 'Mcp-Param-Region': 'north' };
	const answer = await new Endpoint(url).post({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }, headers);
	return { status: answer.status, body: await answer.text() };
}

/** All that a client does, from the first to the last request. */
async function visit(url) {
	const endpoint = new Endpoint(url);
	const opened = await endpoint.open({});
	const echo = await textOf(await endpoint.call(1, 'echo', { text: 'hello' }));
	const heard = await listen(endpoint);
	const steps = await resume(endpoint);
	const unknown = await refusal(await endpoint.post({ jsonrpc: '2.0', id: 4, method: 'ping' }, { 'Mcp-Session-Id': 'x' }));
	const badToken = await refusal(await new Endpoint(url).post(INITIALIZE, { 'Mcp-Reconnect-Token': 'none' }));

	const again = new Endpoint(url);
	const reconnected = await again.open({ 'Mcp-Reconnect-Token': opened.token, 'Mcp-Reconnect-Nonce': crypto.randomUUID() });
	const note = await textOf(await again.call(5, 'note_get', { name: 'n' }));
	const before = await refusal(await endpoint.call(6, 'echo', { text: 'hello' }));
	const closed = (await again.ask('DELETE')).status;
	return { opened, echo, heard, steps, unknown, badToken, reconnected, note, before, closed, modern: await modern(url) };
}
