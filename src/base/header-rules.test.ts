/** Names and values of headers that operators may write, and why they may not write others. */
import { describe, expect, test } from 'vitest';
import { editableHeaderProblem, headerNameProblem, headerValueProblem } from './header-rules.ts';

describe('names', () => {
  test.each([
    ['X-Request-ID', null, null],
    ["!#$%&'*+-.^_`|~0", null, null],
    ['x'.repeat(256), null, null],
    ['x'.repeat(257), 'longer than', 'longer than'],
    ['', 'not a header name', 'not a header name'],
    ['a b', 'not a header name', 'not a header name'],
    ['a:', 'not a header name', 'not a header name'],
    ['a\r\nb', 'not a header name', 'not a header name'],
    // A predicate may look at what nobody but the gateway writes.
    ['Content-Length', null, 'by the gateway itself'],
    ['KEEP-ALIVE', null, 'by the gateway itself'],
    ['Expect', null, 'by the gateway itself'],
    ['http2-settings', null, 'by the gateway itself'],
    ['Host', null, '`rewrite.host`'],
  ])('%j', (name, asName, asEdit) => {
    for (const [problem, expected] of [
      [headerNameProblem(name), asName],
      [editableHeaderProblem(name), asEdit],
    ]) {
      if (expected === null) expect(problem).toBe(null);
      else expect(problem).toContain(expected);
    }
  });
});

describe('values', () => {
  test.each([
    ['', null],
    ['a\tb', null],
    ['caf\u00e9', null],
    ['x'.repeat(8192), null],
    ['x'.repeat(8193), 'longer than'],
    ['a\r\nb: c', 'line break'],
    ['a\0', 'control character'],
    ['a\x85b', 'control character'],
    ['\u0141', 'Latin-1'],
    [' a', 'begins or ends'],
    ['a\t', 'begins or ends'],
  ])('%j', (value, expected) => {
    if (expected === null) expect(headerValueProblem(value)).toBe(null);
    else expect(headerValueProblem(value)).toContain(expected);
  });
});
