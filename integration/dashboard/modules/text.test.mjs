import assert from 'node:assert/strict';
import { test } from 'node:test';

import { csv, json } from '../../../src/monitor/dashboard/assets/export.js';
import { clientOf, counted, duration, visible } from '../../../src/monitor/dashboard/assets/format.js';
import { session } from './world.mjs';

test('what would hide or turn text is made visible', () => {
  assert.equal(visible('a\u202eb\u0000c\n'), 'a\\u202eb\\u0000c\\u000a');
  assert.equal(visible('日本語 <b> é'), '日本語 <b> é');
  assert.equal(clientOf({ client_type: '', client_version: '' }), 'unnamed client');
  assert.equal(clientOf({ client_type: 'zed', client_version: '1\u2066' }), 'zed 1\\u2066');
});

test('spans of time are told in two units at most', () => {
  const told = [0, 59_000, 60_000, 61_000, 599_000, 600_000, 3_661_000, 90_061_000, -5].map(duration);
  assert.deepEqual(told, ['0s', '59s', '1m', '1m 1s', '9m 59s', '10m', '1h 1m', '1d 1h', '0s']);
  assert.equal(counted(1, 'session'), '1 session');
  assert.equal(counted(1200, 'session'), '1,200 sessions');
});

test('a file for spreadsheets holds no formulas, and reads back', () => {
  const text = csv([session('-key', { client_type: '=HYPERLINK("x")', client_version: 'a,b\n"c"' })]);
  const [head, ...rest] = text.split('\r\n');
  assert.ok(head.startsWith('session_id,client_type,'));
  assert.ok(rest.join('\r\n').startsWith(`'-key,"'=HYPERLINK(""x"")","a,b\n""c""",active,a,`), rest[0]);
  const [one] = JSON.parse(json([session('-key')]));
  assert.equal(one.session_id, '-key');
  assert.equal(one.created_at, '1970-01-01T00:00:01.000Z');
});
