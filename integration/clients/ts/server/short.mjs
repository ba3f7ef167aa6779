// The shortest server with @modelcontextprotocol/sdk: one transport for whoever comes first, as many have it that were
// written for one user.

import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';

export async function serve(host, port) {
  const server = new McpServer({ name: 'short', version: '1' });
  server.registerTool('hello', {}, () => ({ content: [{ type: 'text', text: 'hello' }] }));
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: randomUUID });
  await server.connect(transport);
  const http = createServer((req, res) => transport.handleRequest(req, res));
  await new Promise((listening) => http.listen(port, host, listening));
  return http.address().port;
}
