/** The example of signed tokens, run as its page says. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Example, startExample } from '../support/example.ts';

let example: Example;

beforeAll(async () => {
  example = await startExample('jwt', ['9071', '9072']);
});
afterAll(() => example.close());

const UNAUTHENTICATED = /^HTTP\/1\.1 401 Unauthorized\r\n[\s\S]*\r\nWWW-Authenticate: Bearer realm="portico"/;
const BOB = { path: '/partner', 'x-user-id': 'bob', 'x-user-email': 'bob@partner.example' };

test.each<[number, RegExp | object]>([
  [0, new RegExp(`${UNAUTHENTICATED.source}\r\n`)],
  [1, { path: '/me', 'x-user-id': 'ann', 'x-user-roles': 'editor' }],
  [2, new RegExp(`${UNAUTHENTICATED.source}, error="invalid_token"\r\n`)],
  [3, BOB],
  [4, BOB],
  [5, /^header {4}\{"alg":"ES256","kid":"key-1"\}\n[\s\S]*not verified/],
  [6, /^valid\nsubject {3}ann\n/],
])(
  'does what line %d after the start is about',
  async (index, expected) => {
    const out = await example.run(example.commands.filter((line) => line !== '').slice(3)[index]);
    if (expected instanceof RegExp) expect(out).toMatch(expected);
    else expect(JSON.parse(out)).toEqual(expected);
    // Some lines start a program, or two.
  },
  15_000,
);

test('has no other lines', () => {
  expect(example.commands.filter((line) => line !== '')).toHaveLength(10);
});
