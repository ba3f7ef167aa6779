import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Model } from '../../../src/monitor/dashboard/assets/model.js';
import { delta, session, snapshot } from './world.mjs';

const event = (n, type, of, more = {}) => ({ n, type, at: 5, session: of, ...more });
const keys = (model) => [...model.sessions.keys()].sort();

test('a snapshot is what there is, once all its pages are there', () => {
  const model = new Model();
  model.apply(snapshot('1', [session('old')]));
  model.apply(snapshot('2/a', [session('a')], { more: true }));
  assert.deepEqual(keys(model), ['old'], 'nothing is shown by half');
  const { reset } = model.apply({ ...snapshot('2', [session('b')]), from: '2/a' });
  assert.ok(reset);
  assert.deepEqual(keys(model), ['a', 'b']);
});

test('deltas bring sessions, change them and take them away after a while', () => {
  const model = new Model();
  model.apply(snapshot('1', [session('a')]));
  const told = model.apply(
    delta('1', '2', [
      event(1, 'session_created', session('b')),
      event(2, 'session_disconnected', session('a', { status: 'disconnected' })),
      event(0, 'session_updated', session('b', { last_seen_at: 9000 })),
    ]),
  );
  assert.deepEqual([...told.changed].sort(), ['a', 'b']);
  assert.deepEqual(told.events.map(({ n }) => n), [1, 2], 'what was seen lately is no event');
  assert.equal(model.sessions.get('a').status, 'disconnected');
  assert.equal(model.sessions.get('b').last_seen_at, 9000);

  model.apply(delta('2', '3', [event(3, 'session_terminated', session('a'), { reason: 'terminated' })]));
  assert.equal(model.sessions.get('a').ended, 'terminated');
  assert.equal(model.known(), 1);
  assert.deepEqual(model.prune(), []);
  assert.deepEqual(model.prune(Date.now() + 60_000), ['a']);
  assert.deepEqual(keys(model), ['b']);
});

test('an adoption is an event, and its session goes on', () => {
  const model = new Model();
  model.apply(snapshot('1', [session('a')]));
  const told = model.apply(delta('1', '2', [event(1, 'session_updated', session('a', { last_seen_at: 9000 }), { how: 'adopted' })]));
  assert.deepEqual(told.events.map(({ n }) => n), [1]);
  assert.equal(model.sessions.get('a').last_seen_at, 9000);
});

test('an end that is told of a session that is not known brings none', () => {
  const model = new Model();
  model.apply(snapshot('1'));
  const told = model.apply(delta('1', '2', [event(1, 'session_terminated', session('a'), { reason: 'expired' })]));
  assert.deepEqual(keys(model), []);
  assert.equal(told.events.length, 1, 'it is an event all the same');
});

test('a refused reconnect, also of nobody who is known, is an event and no session', () => {
  const model = new Model();
  model.apply(snapshot('1'));
  const told = model.apply(delta('1', '2', [event(1, 'reconnect_refused', null), event(2, 'reconnect_refused', session('a'))]));
  assert.deepEqual(keys(model), []);
  assert.equal(told.events.length, 2);
});

test('what was found on the server does not overwrite what is told live', () => {
  const model = new Model();
  model.apply(snapshot('1', [session('a', { last_seen_at: 9 })]));
  model.take([session('a', { last_seen_at: 1 }), session('b')]);
  assert.equal(model.sessions.get('a').last_seen_at, 9);
  assert.deepEqual(keys(model), ['a', 'b']);
});

test('counts stand until others are told', () => {
  const model = new Model();
  model.apply({ ...snapshot('1'), stats: { of: 'the snapshot' } });
  model.apply(delta('1', '2'));
  assert.deepEqual(model.stats, { of: 'the snapshot' });
  model.apply({ ...delta('2', '3'), stats: { of: 'later' } });
  assert.deepEqual(model.stats, { of: 'later' });
});
