import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { keyer, plugin } from './keyer.js';

// A request, in the place of one that the server shows.
const request = (fields) => ({
  get: (pointer) => (pointer.slice(1) in fields ? JSON.stringify(fields[pointer.slice(1)]) : undefined),
  texts: (role) => (role === 'user' ? [{ pointer: '/messages/0/content', role, content: fields.question }] : []),
});

const edits = (fields) => keyer.decide(request(fields)).val.edits;

beforeEach(() => plugin.configure('{"drop": "/user", "fold_case": true}'));

test('who asks and in which case does not matter', () => {
  assert.deepEqual(edits({ user: 'ada', question: 'Why?' }), [
    { rule: 'drop', change: { tag: 'remove', val: '/user' } },
    { rule: 'case', change: { tag: 'replace', val: { pointer: '/messages/0/content', json: '"why?"' } } },
  ]);
  assert.deepEqual(edits({ question: 'why?' }), []);
});

test('case matters if that is set', () => {
  plugin.configure('{"fold_case": false}');
  assert.deepEqual(edits({ question: 'Why?' }), []);
});

test('what is no setting is refused', () => {
  assert.throws(() => plugin.configure('{"fold": true}'), /unknown setting/);
  assert.throws(() => plugin.configure('{"fold_case": 1}'), /must be a boolean/);
});
