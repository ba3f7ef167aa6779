// A client that begins as nobody, is challenged by a call, logs in, and goes on in the session it has. Its requests go to two
// replicas by turns: <url>, and `otherUrl`.

import { check } from './report.mjs';
import { connect } from './sdk.mjs';

const PATIENCE_MS = 10_000;

export async function login({ sdk, url, options, report }) {
  const exchanges = [];
  const visitor = new Visitor();
  const onError = (error) => isChallenge(error) || report.errors.push(String(error?.message ?? error));
  let connection;
  await report.must('connect as nobody', async () => {
    const fetch = byTurns(url, options.otherUrl);
    connection = await connect({ sdk, url, options, exchanges, onError, authProvider: visitor, fetch });
    report.era = connection.isModern ? 'modern' : 'legacy';
    check(connection.sessionId, 'the server gave no session id');
  });
  const { sessionId } = connection;
  const sent = (message) => exchanges.filter((exchange) => exchange.message === message);
  await report.must('list tools as nobody, at both replicas', async () => {
    for (let round = 0; round < 4; round += 1) check((await connection.tools()).length > 0, 'there is no tool');
  });
  await report.must('listen as nobody', () => listens(exchanges, 1));
  await report.must('a call is challenged', async () => {
    const error = await connection.call('whoami').then(() => null, (error) => error);
    check(error && isChallenge(error), `the call was not challenged: ${error}`);
    check(visitor.code, 'the SDK did not ask for an authorization');
  });
  await report.must('log in', () => connection.transport.finishAuth(visitor.code));
  const who = await report.must('the call, said again', async () => (await connection.call('whoami')).structuredContent);
  await report.step('it is the same session', () => {
    check(connection.sessionId === sessionId, 'the session id is another one');
    check(sent('initialize').length === 1, 'the SDK sent another initialize');
    const ids = new Set(sent('tools/call').map((exchange) => exchange.sent));
    check(ids.size === 1 && ids.has(sessionId), `the calls went with other ids`);
    return who;
  });
  await report.step('it is so at both replicas', async () => {
    for (let round = 0; round < 4; round += 1) {
      const again = (await connection.call('whoami')).structuredContent;
      check(JSON.stringify(again) === JSON.stringify(who), `now it is ${JSON.stringify(again)}`);
    }
  });
  await report.step('listen as somebody', () => listens(exchanges, 2));
  if (options.keep) report.sessionId = sessionId;
  await report.step('leave', () => connection.close());
}

/** Waits until the SDK has opened its listening stream so often. */
async function listens(exchanges, times) {
  const until = Date.now() + PATIENCE_MS;
  const opened = () => exchanges.filter(({ method, status, sent }) => method === 'GET' && status === 200 && sent).length;
  while (opened() < times) {
    const tried = exchanges.filter(({ method, sent }) => method === 'GET' && sent).map(({ status }) => status);
    check(Date.now() < until, `it listens ${opened()} times; tried: ${tried}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const isChallenge = (error) => /Unauthorized/i.test(`${error?.name} ${error?.constructor?.name} ${error?.message}`);

/** Sends what goes to one MCP endpoint to that and another one by turns, and all else where it goes. */
function byTurns(url, otherUrl) {
  let turn = 0;
  return (input, init) => {
    const to = String(input instanceof Request ? input.url : input);
    if (to !== url || !otherUrl) return fetch(input, init);
    turn += 1;
    return fetch(turn % 2 ? url : otherUrl, init);
  };
}

/** A person with a browser, who agrees to everything. */
class Visitor {
  redirectUrl = 'http://127.0.0.1:1/callback';

  get clientMetadata() {
    return {
      client_name: 'drive',
      redirect_uris: [this.redirectUrl],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    };
  }

  clientInformation() {
    return this.client;
  }

  saveClientInformation(client) {
    this.client = client;
  }

  tokens() {
    return this.saved;
  }

  saveTokens(tokens) {
    this.saved = tokens;
  }

  saveCodeVerifier(verifier) {
    this.verifier = verifier;
  }

  codeVerifier() {
    return this.verifier;
  }

  async redirectToAuthorization(url) {
    const answer = await fetch(url, { redirect: 'manual' });
    this.code = new URL(answer.headers.get('location')).searchParams.get('code');
  }
}
