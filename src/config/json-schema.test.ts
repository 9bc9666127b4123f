/** The JSON Schema agrees with the schema that it is made from. */
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { head, policies, withRoute } from './config.test.support.ts';
import { createAnnotatedSchema, createJsonSchema, type JsonSchema } from './json-schema.ts';
import { parseConfigText } from './load.ts';

const schema = createJsonSchema(policies);
const validator = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);

describe('an editor that has the JSON Schema says what the gateway says of', () => {
  test.each([
    ['a small file', head, true],
    [
      'every kind of match',
      withRoute(
        'match: { hosts: [a.b], all: [{ any: [{ path: /a }, { not: { query: { a: { present: true } } } }] }] }, service: users',
      ),
      true,
    ],
    [
      'short and long endpoints',
      `${head}services: [{ name: s, endpoints: [http://a, { url: http://b, weight: 2 }] }]`,
      true,
    ],
    ['no admin', `${head}admin: false`, true],
    [
      'sizes of both forms',
      `version: 1\nlisteners: [{ name: a, address: ":0", limits: { requestHead: 4096, requestBody: 1MiB } }]`,
      true,
    ],
    ['a policy', `${head}policies: [{ stamp: { header: a } }]`, true],
    ['an unknown key', `${head}rotues: []`, false],
    ['a missing key', 'version: 1', false],
    ['a duration without a unit', `${head}shutdown: { drain: "10" }`, false],
    ['a number for a string', withRoute('match: { query: { a: 1 } }, service: users'), false],
    ['an unknown word', `${head}logging: { level: loud }`, false],
    ['an unknown policy', `${head}policies: [{ stmap: {} }]`, false],
    ['an unknown option', `${head}policies: [{ stamp: { header: a, b: 1 } }]`, false],
    ['an unknown key deep in nests', withRoute('match: { all: [{ any: [{ pth: /a }] }] }, service: users'), false],
  ])('%s', (_, text, fine) => {
    expect(validator.safeParse(parse(text)).success).toBe(fine);
    const errors = parseConfigText(text, { policies }).findings.filter(({ severity }) => severity === 'error');
    expect(errors.length === 0).toBe(fine);
  });

  test.each([
    ['a number', `${head}limits: { concurrentRequests: "\${env.N}" }`],
    ['a boolean', `${head}services: [{ name: s, endpoints: [http://a], panic: "\${env.B}" }]`],
    ['a word', `${head}logging: { level: "\${env.L}" }`],
    ['a duration', `${head}shutdown: { drain: "\${env.D}" }`],
  ])('a reference in place of %s', (_, text) => {
    expect(validator.safeParse(parse(text)).success).toBe(true);
    expect(parseConfigText(text, { env: { N: '5', B: 'true', L: 'warn', D: '1s' } }).config).not.toBe(null);
  });
});

test('it is a JSON Schema of draft 2020-12 without words that validators do not know', () => {
  expect(schema.$schema).toBe('https://json-schema.org/draft/2020-12/schema');
  const text = JSON.stringify(schema);
  expect(JSON.parse(text)).toEqual(schema);
  expect(text).not.toMatch(/"(kind|range)":/);
  expect(text).not.toContain('__schema');
});

test('every key of the file has a description', () => {
  const missing: string[] = [];
  const visit = (node: unknown, path: string): void => {
    if (typeof node !== 'object' || node === null) return;
    const { properties, items, anyOf, $defs } = node as Record<string, JsonSchema>;
    for (const [key, value] of Object.entries(properties ?? {})) {
      if (value !== null && (value as JsonSchema).description === undefined) missing.push(`${path}.${key}`);
      visit(value, `${path}.${key}`);
    }
    visit(items, `${path}[]`);
    for (const each of [...Object.values(anyOf ?? {}), ...Object.values($defs ?? {})]) visit(each, path);
  };
  visit(createAnnotatedSchema({ names: () => [], schemaOf: () => undefined }), '');
  expect(missing).toEqual([]);
});
