// One life of a client that keeps its session on disk: an official TypeScript SDK, which is to be killed while it calls.
//
//   node live.mjs <v1|v2> <url> <wallet> <word>
//
// It connects, with the token in the wallet if there is one; says who it is; adds its word to the note `diary`; and then
// counts down until it is killed. Two JSON objects go to stdout, one a line: {who, found, keeps} once the word is written
// (`found` is the note as it was, null if there was none), {counting} at the first progress of the call.

import { connect } from './ts/sdk.mjs';
import { Wallet } from './ts/wallet.mjs';

const [sdk, url, wallet, word] = process.argv.slice(2);
const options = { headers: {}, era: 'legacy', clientName: `live-ts-${sdk}`, callTimeoutMs: 30_000 };

const say = (object) => process.stdout.write(`${JSON.stringify(object)}\n`);
const said = (result) => (result.isError ? null : result.content[0].text);

const connection = await connect({ sdk, url, options, fetch: new Wallet(wallet).fetch });
const who = (await connection.call('whoami')).structuredContent;
const found = said(await connection.call('note_get', { name: 'diary' }));
const keeps = found === null ? word : `${found} ${word}`;
await connection.call('note_put', { name: 'diary', value: keeps });
say({ who, found, keeps });

let begun = false;
await connection.call('countdown', { from: 10_000, interval_ms: 50 }, ({ progress }) => {
  if (!begun) say({ counting: progress });
  begun = true;
});
