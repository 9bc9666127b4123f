/** Which characters make a token. */
import { expect, test } from 'vitest';
import { isToken } from './token.ts';

/** RFC 9110, section 5.6.2, written another way. */
const delimiters = '"(),/:;<=>?@[\\]{}';

test('of all characters, the visible ones of US-ASCII that are no delimiters make a token', () => {
  for (let code = 0; code < 0x300; code += 1) {
    const character = String.fromCharCode(code);
    const expected = code > 0x20 && code < 0x7f && !delimiters.includes(character);
    expect([code, isToken(character), isToken(`a${character}b`)]).toEqual([code, expected, expected]);
  }
});

test.each([
  ['', false],
  ['GET', true],
  ['X-Request-ID', true],
  ['x'.repeat(10_000), true],
  ['a\u{1f600}', false],
])('%j: %s', (text, expected) => {
  expect(isToken(text)).toBe(expected);
});
