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

/** The fields of the first session in a file. */
const fields = (told) => {
  const line = csv([session('-AAAAAAAAAAAAAA-', told)]).split('\r\n')[1];
  return [...line.matchAll(/"((?:[^"]|"")*)"/g)].map(([, field]) => field.replaceAll('""', '"'));
};

test('a file for spreadsheets quotes every field, and reads back', () => {
  const text = csv([session('-AAAAAAAAAAAAAA-', { client_type: 'a,b\n"c"', client_version: '1.2.3' })]);
  const [head, line, end] = text.split('\r\n');
  assert.ok(head.startsWith('"session_id","client_type","client_version",'), head);
  assert.ok(line.startsWith('"-AAAAAAAAAAAAAA-","a,b\\u000a""c""","1.2.3","active","a",'), line);
  assert.equal(end, '');
  const [one] = JSON.parse(json([session('-AAAAAAAAAAAAAA-', { client_type: '=x' })]));
  assert.deepEqual([one.session_id, one.client_type, one.created_at], ['-AAAAAAAAAAAAAA-', '=x', '1970-01-01T00:00:01.000Z']);
});

test('no spreadsheet finds a formula, wherever it splits', () => {
  const formulas = ['=1+1', "x;=cmd|' /C calc'!A0", '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', 'a\n=1', 'a,=1', 'a\t=1', 'a|=1', 'a =1', '"=1', "'=1", ';;=1', '＝1', '\u202e=1', ' \u200b;-1'];
  for (const formula of formulas) {
    const [key, ...rest] = fields({ client_type: formula, client_version: formula, replica: formula });
    assert.equal(key, '-AAAAAAAAAAAAAA-', 'a key stays as it is');
    for (const field of rest) {
      assert.doesNotMatch(field, /(^|[,;|\s"])[=+\-@＝＋－＠]/, formula);
      assert.doesNotMatch(field, /[\u0000-\u001f\u200b\u202e]/, formula);
    }
  }
  assert.deepEqual(fields({ client_type: 'claude-code', client_version: '2.0-beta+7', replica: 'a@b' }).slice(1, 5), ['claude-code', '2.0-beta+7', 'active', 'a@b']);
});
