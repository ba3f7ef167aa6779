// Three ways to hear the feed: WebSocket, server-sent events, polling. Each opens a link and says what happens on it.

/** @import { End, Link, Listener, Update, World } from '../types.js' */

/** How long a link may take to open. */
const PATIENCE_MS = 5_000;
/** How long a server may be silent that says something every 15 to 25 seconds. */
const SILENCE_MS = 45_000;
export const POLL_VISIBLE_MS = 10_000;
export const POLL_HIDDEN_MS = 30_000;

/** Ends a link once, whoever wants it to. @param {Listener} listener @param {() => void} release */
function ending(listener, release) {
	let open = true;
	return {
		isOpen: () => open,
		close() {
			open = false;
			release();
		},
		/** @param {End} end */
		end(end) {
			if (!open) return;
			open = false;
			release();
			listener.onEnd(end);
		},
	};
}

/** @param {World} world @param {() => void} bark */
function watchdog(world, bark) {
	let timer = world.later(bark, PATIENCE_MS);
	return {
		feed() {
			world.never(timer);
			timer = world.later(bark, SILENCE_MS);
		},
		stop: () => world.never(timer),
	};
}

/** @param {World} world @param {Listener} listener @returns {Link} */
export function openSocket(world, listener) {
	const socket = new world.WebSocket(world.url('ws/sessions').replace(/^http/, 'ws'), ['mcp-sessions.v1']);
	/** @type {End} */
	let said = {};
	const link = ending(listener, () => {
		dog.stop();
		socket.close();
	});
	const dog = watchdog(world, () => link.end({}));
	const send = (/** @type {object} */ frame) => socket.send(JSON.stringify(frame));
	socket.onopen = () => {
		if (!link.isOpen()) return socket.close();
		listener.onAsk();
		const token = world.token();
		send({ t: 'hello', cursor: listener.cursor() ?? undefined, token: token || undefined });
	};
	socket.onmessage = ({ data }) => {
		if (!link.isOpen()) return;
		dog.feed();
		listener.onContact();
		const frame = JSON.parse(data);
		switch (frame.t) {
			case 'welcome':
				listener.onOpen();
				break;
			case 'ping':
				send({ t: 'pong' });
				break;
			case 'update':
				listener.onUpdate(frame);
				break;
			case 'bye':
				said = { code: frame.code, retryMs: frame.retry_ms };
				break;
		}
	};
	socket.onclose = ({ code }) => link.end({ code, ...said });
	return link;
}

/** Read with fetch, which can send a token and says why it was refused. @param {World} world @param {Listener} listener @returns {Link} */
export function openStream(world, listener) {
	const cut = new AbortController();
	const link = ending(listener, () => {
		dog.stop();
		cut.abort();
	});
	const dog = watchdog(world, () => link.end({}));
	const read = async () => {
		listener.onAsk();
		const cursor = listener.cursor();
		const headers = { Accept: 'text/event-stream', ...world.headers(), ...(cursor ? { 'Last-Event-ID': cursor } : {}) };
		const answer = await world.fetch(world.url('sse/sessions'), { headers, signal: cut.signal, cache: 'no-store' });
		const isStream = answer.headers.get('content-type')?.startsWith('text/event-stream');
		if (!answer.ok || !isStream || !answer.body) return link.end({ code: answer.status });
		const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
		let pending = '';
		let open = false;
		for (;;) {
			const { done, value } = await reader.read();
			if (!link.isOpen()) return;
			if (done) return link.end({});
			dog.feed();
			listener.onContact();
			if (!open) listener.onOpen();
			open = true;
			const messages = (pending + value).split('\n\n');
			pending = messages.pop() ?? '';
			for (const message of messages) {
				const update = dataOf(message);
				if (update && link.isOpen()) listener.onUpdate(update);
			}
		}
	};
	read().catch(() => link.end({}));
	return link;
}

/** @param {string} message @returns {Update | null} */
function dataOf(message) {
	const lines = message.split('\n').filter((line) => line.startsWith('data:'));
	if (!lines.length) return null;
	const told = JSON.parse(lines.map((line) => line.slice(5).trimStart()).join('\n'));
	return told.t === 'update' ? told : null;
}

/** @param {World} world @param {Listener} listener @returns {Link} */
export function openPolling(world, listener) {
	let cut = new AbortController();
	/** @type {any} */
	let timer = null;
	let asking = false;
	let open = false;
	const link = ending(listener, () => {
		world.never(timer);
		cut.abort();
	});
	const ask = async () => {
		asking = true;
		world.never(timer);
		cut = new AbortController();
		const late = world.later(() => cut.abort(), 2 * PATIENCE_MS);
		try {
			while (link.isOpen() && (await once()));
		} catch {
			link.end({});
		}
		world.never(late);
		asking = false;
		if (link.isOpen()) timer = world.later(ask, world.isVisible() ? POLL_VISIBLE_MS : POLL_HIDDEN_MS);
	};
	/** Whether there is more to ask for. */
	const once = async () => {
		const cursor = listener.cursor();
		const path = `api/mcp/sessions/events${cursor ? `?cursor=${encodeURIComponent(cursor)}` : ''}`;
		const answer = await world.fetch(world.url(path), { headers: world.headers(), signal: cut.signal, cache: 'no-store' });
		if (!answer.ok) return link.end({ code: answer.status });
		const update = await answer.json();
		if (!link.isOpen()) return false;
		listener.onContact();
		if (!open) listener.onOpen();
		open = true;
		listener.onUpdate(update);
		return update.more;
	};
	ask();
	return {
		close: link.close,
		wake: () => {
			if (!asking && link.isOpen()) ask();
		},
	};
}
