// What script.json says, as handlers: one for each method, whichever SDK calls them.
//
// A handler is given the request's params and a `call`, the face an SDK has for what it can do meanwhile:
// log(text), progress(percent), ask({method, params}), changed(list), hangUp(), and what the request carried besides:
// answers, state, capabilities (of a client without a session).

import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

const { tools, prompts, resources, templates, completions } = JSON.parse(
  readFileSync(new URL('../../script.json', import.meta.url), 'utf8'),
);

export const INFO = { name: 'script', version: '1' };

export const CAPABILITIES = {
  tools: { listChanged: true }, prompts: { listChanged: true }, resources: { subscribe: true }, completions: {}, logging: {},
};

/** An error of JSON-RPC. */
export class RpcError extends Error {
  constructor(code, message, data) {
    super(message);
    Object.assign(this, { code, data });
  }
}

export const handlers = {
  'tools/list': () => ({
    tools: entries(tools).map(([name, { takes }]) => ({ name, description: name, inputSchema: takes ?? NOTHING })),
  }),
  'tools/call': async ({ name, arguments: given = {} }, call) => {
    const tool = found(tools, name, 'tool');
    require(tool.needs, call);
    const asked = nextRound(name, tool, call);
    if (asked) return asked;
    const answer = await act(tool.steps ?? [], given, call);
    return filled({ content: tool.content, isError: tool.isError }, { ...given, answer: JSON.stringify(answer) });
  },
  'prompts/list': () => ({
    prompts: entries(prompts).map(([name, { takes }]) => ({ name, description: name, arguments: taken(takes) })),
  }),
  'prompts/get': ({ name, arguments: given = {} }, call) => {
    const prompt = found(prompts, name, 'prompt');
    return nextRound(name, prompt, call) ?? filled({ messages: prompt.messages }, given);
  },
  'resources/list': () => ({ resources: entries(resources).map(([uri, { mimeType }]) => ({ uri, name: uri, mimeType })) }),
  'resources/templates/list': () => ({
    resourceTemplates: entries(templates).map(([uriTemplate, { mimeType }]) => ({ uriTemplate, name: uriTemplate, mimeType })),
  }),
  'resources/read': ({ uri }) => ({ contents: [{ uri, ...(resources[uri] ?? templated(uri)) }] }),
  'resources/subscribe': () => ({}),
  'resources/unsubscribe': () => ({}),
  'completion/complete': ({ argument }) => {
    const values = completions.filter((value) => value.startsWith(argument.value));
    return { completion: { values, total: values.length, hasMore: false } };
  },
};

const NOTHING = { type: 'object' };
const { entries } = Object;

function found(table, name, kind) {
  if (!Object.hasOwn(table, name)) throw new RpcError(-32602, `no ${kind} named ${name}`);
  return table[name];
}

function taken(names = {}) {
  return entries(names).map(([name, description]) => ({ name, description, required: true }));
}

/** Takes a tool's steps one by one; what the client answered last comes back. */
async function act(steps, given, call) {
  let answer;
  for (const step of steps) {
    if (step.log) await call.log(step.log);
    if (step.pause) await pause(step.pause);
    if (step.progress !== undefined) await call.progress(step.progress);
    if (step.changed) call.changed(step.changed);
    if (step.hangUp) call.hangUp();
    if (step.ask) answer = await call.ask(filled(step.ask, given));
  }
  return answer;
}

/** The questions of the round a request is in (2026-07-28), as far as the client can answer them; undefined at the end. */
function nextRound(name, { rounds = [], sealed }, { answers = {}, state, capabilities = {} }) {
  let round = state === undefined ? 0 : opened(name, state);
  const askable = (questions) => entries(questions).filter(([, { method }]) => capabilities[method.split('/')[0]]);
  if (round < rounds.length && askable(rounds[round]).every(([key]) => Object.hasOwn(answers, key))) round += 1;
  if (round >= rounds.length || askable(rounds[round]).length === 0) return undefined;
  const questions = Object.fromEntries(askable(rounds[round]));
  return { resultType: 'input_required', inputRequests: questions, ...(sealed && { requestState: seal(name, round) }) };
}

/** State travels with the client, so it is sealed: it guards nothing but a test. */
function seal(name, round) {
  return `${round}.${createHmac('sha256', 'a test keeps no secret').update(`${name} ${round}`).digest('base64url')}`;
}

function opened(name, state) {
  const round = Number.parseInt(state, 10);
  if (seal(name, round) !== state) throw new RpcError(-32602, 'requestState is not what was sent');
  return round;
}

function require(capability, { capabilities = {} }) {
  if (!capability || capabilities[capability]) return;
  const data = { requiredCapabilities: { [capability]: {} } };
  throw new RpcError(-32021, `the client lacks ${capability}`, data);
}

/** A copy with each {name} replaced. */
function filled(value, names) {
  const fill = (text) => text.replace(/\{(\w+)\}/g, (whole, name) => names[name] ?? whole);
  return JSON.parse(JSON.stringify(value), (_, one) => (typeof one === 'string' ? fill(one) : one));
}

function templated(uri) {
  for (const [template, contents] of entries(templates)) {
    const [before, after] = template.split('{id}');
    if (uri.startsWith(before) && uri.endsWith(after)) {
      return filled(contents, { id: uri.slice(before.length, -after.length) });
    }
  }
  throw new RpcError(-32002, 'Resource not found', { uri });
}
