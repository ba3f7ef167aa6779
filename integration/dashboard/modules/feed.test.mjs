import assert from 'node:assert/strict';
import { test } from 'node:test';

import { feedOf } from '../../../src/monitor/dashboard/assets/feed.js';
import { POLL_HIDDEN_MS, POLL_VISIBLE_MS } from '../../../src/monitor/dashboard/assets/transports.js';
import { World, delta, json, settle, snapshot, stream } from './world.mjs';

function begin(configure = () => {}) {
  const world = new World();
  configure(world);
  const taken = [];
  const feed = feedOf(world.world(), { onUpdate: (update) => taken.push(update.to), onStatus: () => {} });
  feed.start();
  return { world, feed, taken, name: () => feed.status().name, over: () => feed.status().transport };
}

/** Refuses every socket, at once. */
async function refuseSocket(world) {
  world.socket.onclose({ code: 1006 });
  await world.pass(0);
}

test('over a WebSocket: hello with the token, never in the address; then what comes is taken', () => {
  const { world, taken, name, over } = begin();
  assert.equal(name(), 'connecting');
  assert.equal(world.socket.url, 'ws://server/mount/ws/sessions');
  assert.deepEqual(world.socket.protocols, ['mcp-sessions.v1']);
  world.greet();
  assert.deepEqual(world.socket.sent, [{ t: 'hello', token: 'of-the-tests' }]);
  world.say(world.socket, snapshot('1'));
  world.say(world.socket, delta('1', '2'));
  world.say(world.socket, delta('2', '2'));
  world.say(world.socket, { t: 'ping' });
  world.say(world.socket, { t: 'later', unknown: true });
  assert.deepEqual(taken, ['1', '2', '2']);
  assert.deepEqual(world.socket.sent.at(-1), { t: 'pong' });
  assert.deepEqual([name(), over()], ['live', 'WebSocket']);
});

test('a delta that begins elsewhere is not taken: asked again from where we stand, then from the beginning', async () => {
  const { world, taken } = begin();
  world.greet();
  world.say(world.socket, snapshot('1'));
  world.say(world.socket, delta('5', '6'));
  assert.deepEqual(taken, ['1']);
  assert.equal(world.sockets.length, 2);
  assert.ok(world.sockets[0].closed);
  world.greet();
  assert.equal(world.socket.sent[0].cursor, '1');
  world.say(world.socket, delta('7', '8'));
  world.greet();
  assert.equal(world.socket.sent[0].cursor, undefined);
  world.say(world.socket, snapshot('9'));
  assert.deepEqual(taken, ['1', '9']);
  world.say(world.sockets[0], delta('9', '10'));
  assert.deepEqual(taken, ['1', '9'], 'a link that was given up says nothing more');
});

test('the pages of a snapshot follow each other', () => {
  const { world, taken } = begin();
  world.greet();
  world.say(world.socket, snapshot('1/a', [], { more: true }));
  world.say(world.socket, { ...snapshot('1/b', [], { more: true }), from: '1/a' });
  world.say(world.socket, { ...snapshot('1', []), from: '1/b' });
  world.say(world.socket, delta('1', '2'));
  assert.deepEqual(taken, ['1/a', '1/b', '1', '2']);
});

test('a socket that breaks is opened again, with the cursor', async () => {
  const { world, name } = begin();
  world.greet();
  world.say(world.socket, snapshot('1'));
  await world.pass(10_000);
  world.socket.onclose({ code: 1006 });
  assert.equal(name(), 'reconnecting');
  await world.pass(1_000);
  assert.equal(world.sockets.length, 2);
  world.greet();
  assert.equal(world.socket.sent[0].cursor, '1');
  assert.equal(name(), 'live');
});

test('a goodbye says when to come back', async () => {
  const { world } = begin();
  world.greet();
  world.say(world.socket, { t: 'bye', code: 4000, reason: 'leaving', retry_ms: 3_000 });
  world.socket.onclose({ code: 4000 });
  await world.pass(2_900);
  assert.equal(world.sockets.length, 1);
  await world.pass(200);
  assert.equal(world.sockets.length, 2);
});

test('a socket that says nothing for long is given up', async () => {
  const { world } = begin();
  world.greet();
  await world.pass(44_000);
  world.say(world.socket, { t: 'ping' });
  await world.pass(44_000);
  assert.ok(!world.sockets[0].closed);
  await world.pass(2_000);
  assert.ok(world.sockets[0].closed);
  assert.equal(world.sockets.length, 2);
});

test('without WebSockets, SSE; and back once they get through', async () => {
  const sse = stream([snapshot('1')]);
  const { world, taken, name, over } = begin((world) => {
    world.answer = () => sse.answer;
  });
  await refuseSocket(world);
  assert.deepEqual([name(), over(), taken], ['live', 'SSE', ['1']]);
  assert.equal(world.requests[0].url, 'http://server/mount/sse/sessions');
  assert.equal(world.requests[0].init.headers.Authorization, 'Bearer of-the-tests');
  sse.push.update(delta('1', '2'));
  sse.push.raw(': still here\n\n');
  await settle();
  assert.deepEqual(taken, ['1', '2']);

  await world.pass(3_000);
  assert.equal(world.sockets.length, 2, 'the better one is tried');
  await refuseSocket(world);
  assert.deepEqual([name(), over()], ['live', 'SSE'], 'and nothing was lost by that');
  await world.pass(6_000);
  assert.equal(world.sockets.length, 3);
  world.greet();
  assert.equal(world.socket.sent[0].cursor, '2');
  assert.deepEqual([name(), over()], ['live', 'WebSocket']);
  world.say(world.socket, delta('2', '3'));
  sse.push.update(delta('2', '3'));
  await settle();
  assert.deepEqual(taken, ['1', '2', '3'], 'each once');
});

test('messages of SSE that arrive in pieces are whole', async () => {
  const sse = stream([]);
  const { world, taken } = begin((world) => {
    world.answer = () => sse.answer;
  });
  await refuseSocket(world);
  const text = `id: 1\ndata: ${JSON.stringify(snapshot('ü'))}\n\n`;
  for (const char of text) sse.push.raw(char);
  await settle();
  assert.deepEqual(taken, ['ü']);
});

test('without either, polling: every 10 seconds, 30 while hidden, at once when somebody looks', async () => {
  let at = 0;
  const { world, taken, name, over, feed } = begin((world) => {
    world.answer = (url) => {
      if (url.includes('/sse/')) return new Response('', { status: 403 });
      at += 1;
      return json(at === 1 ? snapshot('1') : delta(String(at - 1), String(at)));
    };
  });
  const polls = () => world.requests.filter(({ url }) => url.includes('/events'));
  await refuseSocket(world);
  assert.deepEqual([name(), over(), taken], ['polling', 'polling', ['1']]);
  // Nothing better is there whenever it is tried.
  const wait = async (ms) => {
    for (let passed = 0; passed < ms; passed += 500) {
      await world.pass(500);
      if (!world.socket.refused) {
        world.socket.refused = true;
        world.socket.onclose({ code: 1006 });
      }
    }
  };
  await wait(120_000);
  assert.ok(polls().length >= 120_000 / POLL_VISIBLE_MS, `${polls().length}`);
  assert.equal(polls()[1].url, 'http://server/mount/api/mcp/sessions/events?cursor=1');
  assert.deepEqual(taken, taken.map((_, index) => String(index + 1)));
  world.visible = false;
  await wait(POLL_VISIBLE_MS);
  const before = polls().length;
  await wait(POLL_HIDDEN_MS - 15_000);
  const hidden = polls().length - before;
  assert.ok(hidden <= 2, `${hidden} while hidden`);
  const asked = polls().length;
  feed.wake();
  await settle();
  assert.equal(polls().length, asked + 1);
});

test('a poll that is not all is followed by the next one at once', async () => {
  const pages = [
    snapshot('1/a', [], { more: true }),
    { ...snapshot('1/b', [], { more: true }), from: '1/a' },
    { ...snapshot('1'), from: '1/b' },
  ];
  const { world, taken } = begin((world) => {
    world.answer = (url) => (url.includes('/sse/') ? new Response('', { status: 404 }) : json(pages.shift()));
  });
  await refuseSocket(world);
  assert.deepEqual(taken, ['1/a', '1/b', '1']);
});

test('when nothing answers, it is said since when; attempts go on, and not too often', async () => {
  const { world, name } = begin((world) => {
    world.answer = () => Promise.reject(new TypeError('network'));
  });
  world.greet();
  world.say(world.socket, snapshot('1'));
  let tries = 0;
  const refused = async () => {
    if (!world.socket.refused) {
      world.socket.refused = true;
      tries += 1;
      world.socket.onclose({ code: 1006 });
    }
    await world.pass(500);
  };
  await refused();
  assert.equal(name(), 'reconnecting');
  for (let turn = 0; turn < 120; turn += 1) await refused();
  assert.equal(name(), 'stale');
  assert.ok(tries >= 5 && tries <= 20, `${tries} tries in a minute`);
});

test('codes from 4500 on mean: do not come back', async () => {
  for (const code of [4501, 4502]) {
    const { world, name } = begin();
    world.greet();
    world.say(world.socket, { t: 'bye', code, reason: 'no' });
    world.socket.onclose({ code });
    assert.equal(name(), 'denied');
    await world.pass(600_000);
    assert.equal(world.sockets.length, 1);
    assert.equal(world.requests.length, 0);
  }
});

test('a server that does not understand our frames is spoken to over SSE, and over no socket again', async () => {
  const { world, over } = begin((world) => {
    world.answer = () => stream([snapshot('1')]).answer;
  });
  world.greet();
  world.socket.onclose({ code: 4500 });
  await world.pass(600_000);
  assert.equal(over(), 'SSE');
  assert.equal(world.sockets.length, 1);
});

test('who is not let in over any transport is told so; a start tries again', async () => {
  const { world, feed, name } = begin((world) => {
    world.answer = () => new Response('{}', { status: 403 });
  });
  await refuseSocket(world);
  await world.pass(0);
  assert.equal(name(), 'denied');
  feed.start();
  world.greet();
  assert.equal(name(), 'live');
});

test('a store that is away makes it degraded, until it is back', async () => {
  const { world, name } = begin();
  world.greet();
  world.say(world.socket, snapshot('1', [], { state: 'degraded' }));
  assert.equal(name(), 'degraded');
  world.say(world.socket, delta('1', '1'));
  assert.equal(name(), 'live');
  world.say(world.socket, { t: 'bye', code: 4004, reason: 'away', retry_ms: 1_000 });
  world.socket.onclose({ code: 4004 });
  assert.equal(name(), 'degraded');
});
