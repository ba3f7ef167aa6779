import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as query from '../../../src/monitor/dashboard/assets/query.js';
import { session } from './world.mjs';

test('what is chosen survives its address', () => {
  const view = { status: 'active', age: 'stale', client: 'a&b=c #1', q: '<ü>', sort: 'idle', dir: 'desc', session: 'AAAAAAAAAAAAAAAA' };
  assert.deepEqual(query.read(query.search(view)), view);
  assert.equal(query.search(query.read('')), '');
});

test('what is no choice is none', () => {
  const view = query.read('?status=dead&age=old&sort=toString&dir=up&session=../../etc&unknown=1');
  assert.deepEqual(view, query.read(''));
});

test('a session matches by status, age, client and text, whatever its case', () => {
  const one = session('AbCdEfGhIjKlMnOp', { client_type: 'Cursor', replica: 'host-7', last_seen_at: 0 });
  const matches = (change, now = 0) => query.matches(one, { ...query.read(''), ...change }, now);
  assert.ok(matches({}));
  assert.ok(matches({ q: 'cURS' }) && matches({ q: 'HOST-7' }) && matches({ q: 'abcde' }) && !matches({ q: 'zed' }));
  assert.ok(matches({ client: 'Cursor' }) && !matches({ client: 'cursor' }));
  assert.ok(matches({ status: 'active' }) && !matches({ status: 'disconnected' }));
  assert.ok(matches({ age: 'healthy' }, 299_999) && !matches({ age: 'healthy' }, 300_000));
  assert.ok(matches({ age: 'aging' }, 300_000) && matches({ age: 'aging' }, 600_000) && matches({ age: 'stale' }, 600_001));
});

test('every order is total, and the same for the same sessions', () => {
  const sessions = ['c', 'a', 'b'].map((key) => session(key));
  for (const sort of ['session', 'client', 'status', 'replica', 'idle', 'uptime', 'reconnects']) {
    const view = { ...query.read(''), sort };
    assert.deepEqual([...sessions].sort(query.order(view)).map((one) => one.session_id), view.dir === 'desc' && sort === 'session' ? ['c', 'b', 'a'] : ['a', 'b', 'c'], sort);
  }
  const newest = [session('old', { created_at: 1 }), session('new', { created_at: 2 })].sort(query.order(query.read('')));
  assert.equal(newest[0].session_id, 'new');
});
