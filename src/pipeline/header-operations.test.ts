/** Header policies refuse what the rest of the file refuses, and what they take is applied in one order. */
import { describe, expect, test } from 'vitest';
import { parseConfigText } from '../config/load.ts';
import type { PolicySchemas } from '../config/policy-schemas.ts';
import { compileOperations, describeOperations, headerOperationsSchema } from './header-operations.ts';

const policies: PolicySchemas = { names: () => ['edit'], schemaOf: () => headerOperationsSchema };

/** Code and words of what is wrong with a file of one route. */
function refusals(policy: object, headers: object): string[] {
  const config = {
    version: 1,
    listeners: [{ name: 'a', address: '127.0.0.1:0' }],
    routes: [{ name: 'r', match: {}, respond: { headers } }],
    policies: [{ edit: policy }],
  };
  const { findings } = parseConfigText(JSON.stringify(config), { policies });
  return findings.map(({ code, message }) => `${code} ${message}`);
}

const names = [
  'Connection',
  'content-length',
  'Expect',
  'http2-settings',
  'Keep-Alive',
  'proxy-connection',
  'TE',
  'trailer',
  'transfer-encoding',
  'Upgrade',
  'Host',
  'a b',
  'x'.repeat(257),
];

describe('one set of rules', () => {
  test.each(names)('the name %s', (name) => {
    const inAnswer = refusals({}, { [name]: 'v' });
    expect(inAnswer).toHaveLength(1);
    expect(refusals({ set: { [name]: 'v' } }, {})).toEqual(inAnswer);
    expect(refusals({ add: { [name]: 'v' } }, {})).toEqual(inAnswer);
    const [removal] = refusals({ remove: [name] }, {});
    const words = inAnswer[0].replace(/^invalid_key `.*?` /, '');
    expect(removal).toContain(words);
  });

  test.each([['a\r\nb: c'], ['a\u0085'], [' a'], ['a '], ['\u0141'], ['x'.repeat(8193)], [5]])(
    'the value %j',
    (value) => {
      const inAnswer = refusals({}, { a: value });
      expect(inAnswer).toHaveLength(1);
      expect(refusals({ set: { a: value } }, {})).toEqual(inAnswer);
      expect(refusals({ add: { a: value } }, {})).toEqual(inAnswer);
    },
  );

  test('one header twice', () => {
    const inAnswer = refusals({}, { a: 'x', A: 'y' });
    expect(inAnswer).toEqual([expect.stringContaining('duplicate_header')]);
    expect(refusals({ set: { a: 'x', A: 'y' } }, {})).toEqual(inAnswer);
    expect(refusals({ add: { a: 'x', A: 'y' } }, {})).toEqual(inAnswer);
  });

  test('what they take, both take', () => {
    const fine = { 'X-A': 'caf\u00e9', authorization: 'a\tb', 'x-empty': '' };
    expect(refusals({ set: fine, add: fine, remove: ['via', 'X-Request-ID'] }, fine)).toEqual([]);
  });
});

test('removals come first, then replacements, then additions, in effect and in words', () => {
  const operations = headerOperationsSchema.parse({ add: { B: '3' }, set: { a: '1', b: '2' }, remove: ['c', 'A'] });
  const edits = compileOperations(operations);
  expect(edits.lines()).toBe('a: 1\r\nb: 2\r\nB: 3\r\n');
  expect(edits.filter('A: x\r\nB: x\r\nC: x\r\nD: x\r\n')).toBe('D: x\r\n');
  expect(describeOperations(operations)).toBe('removes c, A; sets a: 1, b: 2; adds B: 3');
  expect(describeOperations(headerOperationsSchema.parse({}))).toBe('changes nothing');
});
