// Drives an MCP server with an official TypeScript SDK and reports what happened.
//
//   node drive.mjs <v1|v2> <url> <quickstart|tools|resume|rounds|login> ['{"json": "options"}']
//
// v1 is @modelcontextprotocol/sdk, v2 is @modelcontextprotocol/client. One JSON object goes to stdout:
// {ok, client, scenario, era, ms, steps: [{name, ok, detail}], errors}, and for the scenario `rounds` a summary by that name.
// The exit status is 0 when every step is ok, 1 when one failed, 2 for wrong arguments. Options (all optional):
//
//   headers      sent with every request, {"name": "value"}
//   era          "legacy" (default), "auto" or "modern"; v1 speaks legacy only
//   clientName   what the client calls itself, default "drive-ts-<sdk>"
//   from, intervalMs   the countdown's arguments, default 5 and 20
//   ask          "answer" (default) or "error": what the inner server can do with a question
//   sessionId    resume: the session to come back to; without it the scenario opens one first
//   resumeUrl    resume: where to come back, default <url> (another replica, say)
//   otherUrl     login: another replica; requests go to the two by turns
//   keep         true: leave the session open at the end; its id is then in the report as `sessionId`
//   rounds, parallel   rounds: how many sessions in all, default 25, and at a time, default 8
//   noticeTimeoutMs    rounds: for a notification to be heard, default 10000
//   tolerate     rounds: "interrupted calls" tries a step once more when a call of it was cut off, and counts that
//   timeoutMs    for the whole scenario, default 30000; callTimeoutMs for one call, default 10000

import { Report } from './ts/report.mjs';
import { scenarios } from './ts/scenarios.mjs';

const [sdk, url, scenario, json = '{}'] = process.argv.slice(2);
if (!['v1', 'v2'].includes(sdk) || !URL.canParse(url) || !(scenario in scenarios)) {
  console.error(`usage: node drive.mjs <v1|v2> <url> <${Object.keys(scenarios).join('|')}> ['{"json": "options"}']`);
  process.exit(2);
}

const options = {
  headers: {}, era: 'legacy', clientName: `drive-ts-${sdk}`, from: 5, intervalMs: 20, ask: 'answer', resumeUrl: url,
  keep: false, rounds: 25, parallel: 8, noticeTimeoutMs: 10_000, tolerate: null,
  timeoutMs: 30_000, callTimeoutMs: 10_000, ...JSON.parse(json),
};

const report = new Report({ client: `ts-${sdk}`, scenario });
const deadline = setTimeout(() => {
  report.failRunning(`the scenario did not end within ${options.timeoutMs} ms`);
  finish();
}, options.timeoutMs);

try {
  await scenarios[scenario]({ sdk, url, options, report });
} catch (error) {
  report.abort(error);
}
clearTimeout(deadline);
finish();

/** Prints the report and ends the process, open sockets or not. */
function finish() {
  process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(report.ok ? 0 : 1));
}
