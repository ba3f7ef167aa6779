// The script with @modelcontextprotocol/sdk: sessions, up to 2025-11-25.

import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import * as types from '@modelcontextprotocol/sdk/types.js';

import { CAPABILITIES, INFO, handlers } from './script.mjs';
import { serveSessions } from './sessions.mjs';

export function serve(host, port) {
  return serveSessions(host, port, { makeServer, Transport: StreamableHTTPServerTransport });
}

function makeServer() {
  const server = new Server(INFO, { capabilities: CAPABILITIES });
  for (const [method, handle] of Object.entries(handlers)) {
    const schema = Object.values(types).find((one) => one?.shape?.method?.value === method);
    server.setRequestHandler(schema, ({ params = {} }, extra) => handle(params, callOf(server, extra)));
  }
  return server;
}

function callOf(server, { _meta, sendNotification, sendRequest, closeSSEStream }) {
  const token = _meta?.progressToken;
  return {
    log: (data) => sendNotification({ method: 'notifications/message', params: { level: 'info', data } }),
    progress: async (progress) => {
      const params = { progressToken: token, progress, total: 100 };
      if (token !== undefined) await sendNotification({ method: 'notifications/progress', params });
    },
    ask: (request) => sendRequest(request, types.ResultSchema),
    changed: (list) => server.notification({ method: `notifications/${list}/list_changed` }),
    hangUp: () => closeSSEStream?.(),
  };
}
