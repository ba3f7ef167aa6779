// MCP sessions over node:http, as the SDKs' documentation has it: a transport for each session, found by its id.

import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

import { Events } from './events.mjs';

const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'];

/**
 * Serves /mcp and returns the port.
 * @param makeServer makes the SDK's server for a new session
 * @param Transport the SDK's transport for node:http
 * @param other answers a request that belongs to no session era: (req, res, body) => whether it did
 */
export async function serveSessions(host, port, { makeServer, Transport, other = async () => false }) {
  const sessions = new Map();
  const answer = async (req, res) => {
    if (!isLocal(req)) return refuse(res, 403, -32000, 'foreign Host or Origin');
    if (!req.url.startsWith('/mcp')) return refuse(res, 404, -32000, 'nothing here but /mcp');
    const body = await read(req);
    if (body instanceof SyntaxError) return refuse(res, 400, -32700, 'not JSON');
    if (await other(req, res, body)) return;
    const id = req.headers['mcp-session-id'];
    if (id !== undefined && !sessions.has(id)) return refuse(res, 404, -32001, 'Session not found');
    const transport = sessions.get(id) ?? (await open(sessions, makeServer, Transport));
    await transport.handleRequest(req, res, body);
  };
  const http = createServer((req, res) => answer(req, res).catch((error) => res.destroy(error)));
  await new Promise((listening) => http.listen(port, host, listening));
  return http.address().port;
}

/** A transport that joins the sessions once it has an id, which is once the client was accepted. */
async function open(sessions, makeServer, Transport) {
  const transport = new Transport({
    sessionIdGenerator: randomUUID,
    eventStore: new Events(),
    retryInterval: 100,
    onsessioninitialized: (id) => void sessions.set(id, transport),
    onsessionclosed: (id) => void sessions.delete(id),
  });
  await makeServer().connect(transport);
  return transport;
}

function isLocal({ headers: { host, origin } }) {
  const isLoopback = (url) => URL.canParse(url) && LOOPBACK.includes(new URL(url).hostname);
  return isLoopback(`http://${host}`) && (origin === undefined || isLoopback(origin));
}

async function read(req) {
  if (req.method !== 'POST') return undefined;
  try {
    return JSON.parse(Buffer.concat(await req.toArray()).toString());
  } catch (error) {
    return error;
  }
}

function refuse(res, status, code, message) {
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(JSON.stringify({ jsonrpc: '2.0', id: null, error: { code, message } }));
}
