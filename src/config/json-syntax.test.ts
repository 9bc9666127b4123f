/** The first fault of a text that is no JSON, held to `JSON.parse`. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { jsonFault } from './json-syntax.ts';

describe('the first fault, where it stands', () => {
  test.each([
    ['version: 1', 'begins with a word', 0],
    ['{"a": 1, # x\n"b": 2}', 'comment', 9],
    ['// x\n{}', 'comment', 0],
    ['{"a": /* x */ 1}', 'comment', 6],
    ['{"a": 1,}', 'comma too many', 7],
    ['{"a": [1, 2, ]}', 'comma too many', 11],
    ['{"a": 1,, "b": 2}', 'comma too many', 8],
    ['{,}', 'comma too many', 1],
    ['[,]', 'value should stand', 1],
    ['{"a": 1 "b": 2}', 'comma or `}`', 8],
    ['[1 2]', 'comma or `]`', 3],
    ['{"a": [1}', 'comma or `]`', 8],
    ['{a: 1}', 'key stands in double quotes', 1],
    ["{'a': 1}", 'not in single', 1],
    ['{"a": \'b\'}', 'not in single', 6],
    ['{"a" 1}', 'colon', 5],
    ['{"a"}', 'colon', 4],
    ['{"a": }', 'value should stand', 6],
    ['{"a":', 'text ends', 5],
    ['{"a": 1', 'before the `{`', 0],
    ['{"a": {"b": 1}', 'before the `{`', 0],
    ['[[1], [2', 'before the `[`', 6],
    ['{"a": 1,', 'before the `{`', 0],
    ['{"a": yes}', 'word without quotes', 6],
    ['{"a": True}', 'word without quotes', 6],
    ['{"a": nulls}', 'word without quotes', 6],
    ['{"a": 01}', 'no number', 6],
    ['{"a": +1}', 'no number', 6],
    ['{"a": .5}', 'no number', 6],
    ['{"a": 10s}', 'no number', 6],
    ['{"a": 127.0.0.1}', 'no number', 6],
    ['{"a": "b\nc"}', 'not closed on its line', 6],
    ['{"a": "b', 'never closed', 6],
    ['{"a": "b\tc"}', 'control character', 8],
    ['{"a": "\\d"}', 'no escape', 7],
    ['{"a": "\\u12"}', 'no escape', 7],
    ['{} {}', 'follows the end', 3],
    ['{}}', 'follows the end', 2],
    ['\u00a0{}', 'value should stand', 0],
  ])('%j', (text, words, offset) => {
    expect(() => JSON.parse(text)).toThrow();
    const fault = jsonFault(text);
    expect(fault?.message).toContain(words);
    expect(fault?.offset).toBe(offset);
  });
});

test('exactly what JSON.parse refuses has a fault', () => {
  const isJson = (text: string): boolean => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };
  const piece = fc.constantFrom(...'{}[]:,"\'\\#/-+.0123eE \t\n\ru', 'true', 'null', '"a"', '\\u00e9', '\u0001', 'é');
  const change = fc.record({ at: fc.nat(), removed: fc.nat(2), added: fc.oneof(piece, fc.constant('')) });
  fc.assert(
    fc.property(
      fc.jsonValue({ maxDepth: 4 }),
      fc.nat(2),
      fc.array(change, { maxLength: 2 }),
      (value, indent, changes) => {
        let text = JSON.stringify(value, null, indent);
        for (const { at, removed, added } of changes) {
          const place = at % (text.length + 1);
          text = text.slice(0, place) + added + text.slice(place + removed);
        }
        if (text.trim() === '') return;
        expect([text, jsonFault(text) === null]).toEqual([text, isJson(text)]);
      },
    ),
    { numRuns: 3000 },
  );
});

test.each([[''], [' \n'], ['['.repeat(100_000)]])('others speak of %.20j', (text) => {
  expect(jsonFault(text)).toBe(null);
});
