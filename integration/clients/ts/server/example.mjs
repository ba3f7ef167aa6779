// An example server of @modelcontextprotocol/sdk, as it is. It takes its port from the environment and does not say when it
// is ready.

import { connect, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

export async function serve(host, port) {
  process.env.MCP_PORT = port || (await freePort());
  console.log = console.error; // it tells of every request
  await import('@modelcontextprotocol/sdk/examples/server/simpleStreamableHttp.js');
  while (!(await isListening(host, process.env.MCP_PORT))) await pause(10);
  return process.env.MCP_PORT;
}

function freePort() {
  return new Promise((found) => {
    const probe = createServer().listen(0, () => {
      const { port } = probe.address();
      probe.close(() => found(port));
    });
  });
}

function isListening(host, port) {
  return new Promise((tried) => {
    const socket = connect(port, host)
      .on('connect', () => socket.end(() => tried(true)))
      .on('error', () => tried(false));
  });
}
