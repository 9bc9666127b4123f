/** No name or value of a header gets through that could break a head. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { editableHeaderNameSchema, headerNameSchema, headerValuesSchema } from './header-schema.ts';

test.each(['a', 'X-Request-ID', "!#$%&'*+-.^_`|~0"])('%s is a name', (name) => {
  expect(headerNameSchema.safeParse(name).success).toBe(true);
  expect(editableHeaderNameSchema.safeParse(name).success).toBe(true);
});

test.each(['', 'a b', 'a:', ':path', 'a\n', 'a\r\nb', 'ä', 'a\0', 'a,b', 'a"b', 'x'.repeat(257)])(
  '%j is no name',
  (name) => {
    expect(headerNameSchema.safeParse(name).success).toBe(false);
  },
);

describe('names that only the gateway writes', () => {
  test.each([
    'Connection',
    'content-length',
    'Transfer-Encoding',
    'KEEP-ALIVE',
    'proxy-connection',
    'te',
    'trailer',
    'upgrade',
    'expect',
    'Host',
  ])('%s', (name) => {
    expect(headerNameSchema.safeParse(name).success).toBe(true);
    expect(editableHeaderNameSchema.safeParse(name).success).toBe(false);
  });
});

test('no value gets through that could begin another line or end the head', () => {
  const character = fc.oneof(
    fc.constantFrom('\r', '\n', '\0', '\t', ' ', '\x7f', '\x1f', '\x85', '\u2028', '\u010a', 'a', 'é'),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(character, { maxLength: 6 }), (parts) => {
      const value = parts.join('');
      const result = headerValuesSchema.safeParse({ a: value });
      const bytes = Buffer.from(value, 'latin1');
      const isSafe =
        bytes.toString('latin1') === value && bytes.every((byte) => byte === 9 || (byte >= 32 && byte !== 127));
      if (!isSafe) expect(result.success).toBe(false);
    }),
    { numRuns: 1000 },
  );
});

test.each([
  ['', true],
  ['text/plain; charset=utf-8', true],
  ['a\tb', true],
  ['caf\u00e9', true],
  [' a', false],
  ['a\t', false],
  ['a\x80b', false],
  ['x'.repeat(8193), false],
])('value %j: %s', (value, fine) => {
  expect(headerValuesSchema.safeParse({ a: value }).success).toBe(fine);
});
