// The `tools` scenario: each tool of the example server, one step each.

import { check, describe } from './report.mjs';

const ALL = ['add', 'ask', 'boom', 'counter', 'countdown', 'echo', 'note_get', 'note_put', 'whoami'];

/** Runs every step on an open connection. `questions` collects what the server asked. */
export async function tools({ connection, options, report, questions }) {
  const c = { connection, options, questions, session: !connection.isModern };
  await report.must('list tools', () => list(c));
  await report.step('echo', () => says(c, 'echo', { text: 'hällo 🦀' }, 'hällo 🦀'));
  await report.step('add', () => says(c, 'add', { a: 19, b: 23 }, '42'));
  await report.step('whoami', () => whoami(c));
  await report.step('note_put and note_get', () => notes(c));
  await report.step('notes as resources', () => resources(c));
  await report.step('counter', () => counter(c));
  await report.step('countdown with progress', () => countdown(c));
  await report.step('countdown without progress', () => says(c, 'countdown', { from: 2, interval_ms: 1 }, 'counted to 2'));
  await report.step('ask', () => ask(c));
  await report.step('ask, declined', () => declined(c));
  await report.step('boom', () => boom(c));
  await report.step('echo after boom', () => says(c, 'echo', { text: 'still here' }, 'still here'));
}

async function list({ connection }) {
  const names = (await connection.tools()).map(({ name }) => name);
  const missing = ALL.filter((name) => !names.includes(name));
  check(missing.length === 0, `missing: ${missing.join(', ')}`);
  return names;
}

async function says({ connection }, tool, args, expected) {
  const said = success(await connection.call(tool, args));
  check(said === expected, `expected ${JSON.stringify(expected)}, got ${JSON.stringify(said)}`);
  return said;
}

async function whoami({ connection, options, session }) {
  const result = await connection.call('whoami');
  const who = result.structuredContent;
  check(who && typeof who.replica === 'string', `no structured answer: ${JSON.stringify(result)}`);
  check((typeof who.session === 'string') === session, `session: ${who.session}`);
  check(who.client?.name === options.clientName, `client: ${JSON.stringify(who.client)}`);
  return who;
}

async function notes({ connection, session }) {
  const put = await connection.call('note_put', { name: 'colour', value: 'teal' });
  if (!session) return failure(put);
  success(put);
  const got = success(await connection.call('note_get', { name: 'colour' }));
  check(got === 'teal', `the note came back as ${JSON.stringify(got)}`);
  return { got, missing: failure(await connection.call('note_get', { name: 'nothing' })) };
}

async function resources({ connection, session }) {
  if (!session) {
    const listed = await connection.resources();
    check(listed.length === 0, `resources without a session: ${listed}`);
    return listed;
  }
  success(await connection.call('note_put', { name: 'ä b/c#d', value: 'odd' }));
  const [colour, odd] = ['note://colour', 'note://%C3%A4%20b%2Fc%23d'];
  const listed = await connection.resources();
  check(listed.includes(colour) && listed.includes(odd), `resources: ${listed}`);
  const texts = [await connection.read(colour), await connection.read(odd)];
  check(texts.join() === 'teal,odd', `the notes read ${texts}`);
  return listed;
}

async function counter({ connection, session }) {
  const first = await connection.call('counter');
  if (!session) return failure(first);
  const counts = [first, await connection.call('counter')].map(success).map(Number);
  check(counts.every((count) => count >= 1), `counts: ${counts}`);
  return counts;
}

async function countdown({ connection, options: { from, intervalMs } }) {
  const seen = [];
  const started = performance.now();
  const note = ({ progress, total }) => seen.push([progress, total]);
  const said = success(await connection.call('countdown', { from, interval_ms: intervalMs }, note));
  const expected = Array.from({ length: from }, (_, i) => [i + 1, from]);
  check(JSON.stringify(seen) === JSON.stringify(expected), `progress: ${JSON.stringify(seen)}`);
  return { said, progress: seen.length, ms: Math.round(performance.now() - started) };
}

async function ask({ connection, options, questions }) {
  const question = 'What is the answer?';
  const result = await connection.call('ask', { question });
  if (options.ask === 'error') return failure(result);
  const said = success(result);
  check(questions.includes(question), `the client was asked: ${JSON.stringify(questions)}`);
  check(said === 'forty-two', `expected the answer, got ${JSON.stringify(said)}`);
  return said;
}

async function declined({ connection }) {
  return failure(await connection.call('ask', { question: 'Will you decline?' }));
}

/** A panic must come back as an error, and before the call times out. */
async function boom({ connection }) {
  let result;
  try {
    result = await connection.call('boom');
  } catch (error) {
    check(!/timed out/i.test(error.message), describe(error));
    return describe(error);
  }
  return failure(result);
}

/** The text of a result that is no error. */
export function success(result) {
  const text = result.content.map((block) => block.text ?? '').join('');
  check(!result.isError, `a tool error: ${text}`);
  return text;
}

/** The text of a tool error. */
function failure(result) {
  check(result.isError === true, `expected a tool error, got ${JSON.stringify(result)}`);
  return result.content.map((block) => block.text ?? '').join('');
}
