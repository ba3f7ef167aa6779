// Serves what script.json says with an official TypeScript SDK, so that the conformance suite has something to check.
//
//   node serve.mjs <v1|v2|example|short> [--listen 127.0.0.1:0]
//
// v1 is @modelcontextprotocol/sdk (sessions), v2 is @modelcontextprotocol/server (sessions, and 2026-07-28 without);
// example is an example server that comes with v1, as it is, and short the shortest there is with v1. Prints `listening on http://…` when ready.

import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  options: { listen: { type: 'string', default: '127.0.0.1:0' } },
  allowPositionals: true,
});
if (!['v1', 'v2', 'example', 'short'].includes(positionals[0])) {
  console.error('usage: node serve.mjs <v1|v2|example|short> [--listen ADDR:PORT]');
  process.exit(2);
}
const [host, port] = values.listen.split(':');

const { serve } = await import(`./ts/server/${positionals[0]}.mjs`);
const listening = await serve(host, Number(port));
process.stdout.write(`listening on http://${host}:${listening}\n`);
