// What is tried. Every scenario gets {sdk, url, options, report} and reports its steps.

import { login } from './login.mjs';
import { check } from './report.mjs';
import { rounds } from './rounds.mjs';
import { connect, statusOf } from './sdk.mjs';
import { tools } from './tools.mjs';

export const scenarios = { quickstart, tools: toolsScenario, resume, rounds, login };

/** initialize, tools/list, one call, DELETE, and the old id is gone. */
async function quickstart(run) {
  await withSession(run, {}, async (connection) => {
    const listed = await run.report.must('list tools', async () => names(await connection.tools()));
    const name = listed.includes('greet') ? 'greet' : 'echo';
    await run.report.step(`call ${name}`, async () => {
      const said = text(await connection.call(name, { name: 'Ada', text: 'Ada' }));
      check(said.includes('Ada'), `expected an answer with Ada in it, got ${JSON.stringify(said)}`);
      return said;
    });
  });
}

/** Every tool of the example server. */
async function toolsScenario(run) {
  const questions = [];
  await withSession(run, { onQuestion: answering(questions) }, (connection) => tools({ ...run, connection, questions }));
}

/** A second client that knows the id comes back without `initialize`. */
async function resume(run) {
  const { report, options } = run;
  const sessionId = options.sessionId ?? (await openedByAnother(run));
  await withSession({ ...run, url: options.resumeUrl }, { sessionId }, async (connection) => {
    await report.step('call whoami without initialize', async () => {
      const who = (await connection.call('whoami')).structuredContent;
      const initialized = connection.exchanges.some(({ message }) => message === 'initialize');
      check(!initialized, 'the SDK sent an initialize');
      check(typeof who.session === 'string', `whoami sees no session: ${JSON.stringify(who)}`);
      return who;
    });
  });
}

/** The id of a session whose client has vanished without a DELETE. */
async function openedByAnother({ sdk, url, options, report }) {
  let sessionId;
  await report.must('a first client opens a session and vanishes', async () => {
    const first = await connect({ sdk, url, options });
    ({ sessionId } = first);
    await first.call('whoami');
    await first.close();
    check(sessionId, 'the server gave no session id');
  });
  return sessionId;
}

/** Connects, runs `body`, and ends the session (unless told to keep it). */
async function withSession(run, { onQuestion, sessionId }, body) {
  const { report, options, sdk, url } = run;
  let connection;
  await report.must(sessionId ? 'come back' : 'connect', async () => {
    const onError = (error) => report.errors.push(String(error.message ?? error));
    connection = await connect({ sdk, url, options, onQuestion, onError, sessionId });
    report.era = connection.isModern ? 'modern' : 'legacy';
    return { protocolVersion: connection.protocolVersion ?? null, session: Boolean(connection.sessionId) };
  });
  try {
    await report.step('a session exactly in the legacy era', () => {
      check(Boolean(connection.sessionId) !== connection.isModern, `session id: ${Boolean(connection.sessionId)}`);
    });
    await body(connection);
  } finally {
    if (options.keep) report.sessionId = connection.sessionId;
    else await end(connection, run);
    await connection.close();
  }
}

/** DELETE, then the old id must be unknown. */
async function end(connection, { report, options, url }) {
  await report.step('only initialize was answered with a session id', () => onlyInitializeNamesASession(connection));
  if (connection.isModern) return report.skip('terminate', 'there is no session in this era');
  const { sessionId } = connection;
  await report.step('terminate', async () => {
    const status = await connection.terminate();
    check(status === 200 || status === 204, `DELETE was answered with ${status}`);
    return status;
  });
  await report.step('the old id is 404', async () => {
    const status = await statusOf(sessionId, url, options);
    check(status === 404, `the old session id was answered with ${status}`);
    return status;
  });
}

function onlyInitializeNamesASession({ exchanges }) {
  const others = exchanges.filter(({ message, received }) => received !== null && message !== 'initialize');
  check(others.length === 0, `also: ${others.map(({ method, message }) => `${method} ${message}`).join(', ')}`);
}

/** Answers elicitations: accepts, unless the question says to decline. */
function answering(questions) {
  return (message) => {
    questions.push(message);
    return message.includes('decline') ? { action: 'decline' } : { action: 'accept', content: { answer: 'forty-two' } };
  };
}

export const names = (tools) => tools.map(({ name }) => name);
export const text = (result) => result.content.map((block) => block.text ?? '').join('');
