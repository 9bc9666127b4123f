/** Which known word was meant, and when none was. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nearest } from './nearest.ts';

const keys = [
  'path',
  'pathPrefix',
  'pathRegex',
  'methods',
  'headers',
  'hosts',
  'query',
  'cookies',
  'any',
  'all',
  'not',
];

test.each([
  ['pathprefix', 'pathPrefix'],
  ['path_prefix', 'pathPrefix'],
  ['pathPrefx', 'pathPrefix'],
  ['method', 'methods'],
  ['mehtods', 'methods'],
  ['host', 'hosts'],
  ['nto', 'not'],
  ['quarry', 'query'],
  ['cook', 'cookies'],
  ['hostnames', undefined],
  ['co', undefined],
  ['a', undefined],
  ['priority', undefined],
  ['', undefined],
  ['x'.repeat(100_000), undefined],
])('%j most likely means %s', (word, expected) => {
  expect(nearest(word, keys)).toBe(expected);
});

test('a known word is nearest to itself', () => {
  for (const key of keys) expect(nearest(key, keys)).toBe(key);
});

test('one changed letter in a long word is found again', () => {
  const word = 'queueTimeout';
  fc.assert(
    fc.property(fc.nat({ max: word.length - 1 }), fc.constantFrom('x', 'qq', ''), (at, put) => {
      expect(nearest(word.slice(0, at) + put + word.slice(at + 1), ['queue', word, 'max'])).toBe(word);
    }),
  );
});

test.each([
  ['HTTP/2', ['h2', 'http/1.1'], 'h2'],
  ['http1', ['h2', 'http/1.1'], 'http/1.1'],
  ['http2', ['http', 'https', 'h2', 'h2c'], 'h2'],
  ['http2', ['http', 'https'], 'http'],
])('%s is another name, of which %j know one', (word, known, expected) => {
  expect(nearest(word, known)).toBe(expected);
});
