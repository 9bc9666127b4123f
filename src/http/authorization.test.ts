/** Credentials of the field, and what is no token. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { credentialsOf, isBearerToken } from './authorization.ts';

test.each<[string | undefined, string | null]>([
  ['Bearer abc', 'abc'],
  ['bearer abc', 'abc'],
  ['BEARER   abc', 'abc'],
  ['Bearer', ''],
  ['Bearer ', ''],
  ['Bearer a b', 'a b'],
  ['Bearer\tabc', null],
  ['Bearerabc', null],
  ['Beare', null],
  ['Basic abc', null],
  ['', null],
  [undefined, null],
])('of %j the credentials are %j', (field, credentials) => {
  expect(credentialsOf(field, 'bearer')).toBe(credentials);
});

test.each<[string, boolean]>([
  ['a', true],
  ['AZaz09-._~+/==', true],
  ['', false],
  ['=', false],
  ['a=b', false],
  ['a b', false],
  ['a, Bearer b', false],
  ['a,b', false],
  ['a\u0000', false],
  ['ä', false],
  ['\u2028', false],
])('%j is a token: %s', (text, isToken) => {
  expect(isBearerToken(text)).toBe(isToken);
});

test('a token is what the grammar of RFC 6750 says', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'Z', '0', '-', '/', '=', ' ', ',', '\u00ff'), maxLength: 8 });
  fc.assert(fc.property(text, (token) => isBearerToken(token) === /^[A-Za-z0-9\-._~+/]+=*$/.test(token)));
});
