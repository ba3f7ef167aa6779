// The script with @modelcontextprotocol/server: sessions up to 2025-11-25, and requests of 2026-07-28 without.

import { NodeStreamableHTTPServerTransport, toNodeHandler, toWebRequest } from '@modelcontextprotocol/node';
import { Server, createMcpHandler, isLegacyRequest } from '@modelcontextprotocol/server';

import { CAPABILITIES, INFO, handlers } from './script.mjs';
import { serveSessions } from './sessions.mjs';

export function serve(host, port) {
  const modern = createMcpHandler(() => makeServer(), { legacy: 'reject' });
  const handleModern = toNodeHandler(modern);
  const makeServer = () => serverOf((list) => modern.notify[`${list}Changed`]());
  const other = async (req, res, body) => {
    if (await isLegacyRequest(await toWebRequest(req, body), body)) return false;
    await handleModern(req, res, body);
    return true;
  };
  return serveSessions(host, port, { makeServer, Transport: NodeStreamableHTTPServerTransport, other });
}

function serverOf(changed) {
  const server = new Server(INFO, { capabilities: CAPABILITIES });
  for (const [method, handle] of Object.entries(handlers)) {
    server.setRequestHandler(method, ({ params = {} }, context) => handle(params, callOf(server, changed, context)));
  }
  return server;
}

function callOf(server, changed, { mcpReq, http }) {
  const token = mcpReq._meta?.progressToken;
  return {
    log: (data) => mcpReq.log('info', data),
    progress: async (progress) => {
      const params = { progressToken: token, progress, total: 100 };
      if (token !== undefined) await mcpReq.notify({ method: 'notifications/progress', params });
    },
    ask: (request) => mcpReq.send(request),
    changed,
    hangUp: () => http?.closeSSE?.(),
    answers: mcpReq.inputResponses,
    state: mcpReq.requestState(),
    capabilities: server.getClientCapabilities(),
  };
}
