/** Any text becomes one JSON string that means it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonString } from './json-string.ts';

describe('a JSON string', () => {
  it.each([
    ['', '""'],
    ['plain ~ text', '"plain ~ text"'],
    ['a"b\\c', '"a\\"b\\\\c"'],
    ['\r\n\t\0\u001b', '"\\r\\n\\t\\u0000\\u001b"'],
    ['\u007f\u009b31m', '"\\u007f\\u009b31m"'],
    ['\u00e4\u2028\u202e', '"\\u00e4\\u2028\\u202e"'],
    ['\ud800', '"\\ud800"'],
  ])('%j is %s', (text, json) => {
    expect(jsonString(text)).toBe(json);
  });

  it('is printable US-ASCII and means the text, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.uint8Array().map(latin1)), (text) => {
        const json = jsonString(text);
        expect(JSON.parse(json)).toBe(text);
        expect(json).toMatch(/^[ -~]*$/);
      }),
    );
  });
});

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
