/** Schemas of policies are built once, and files that share them share nothing else. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { schemasFor } from './built-schemas.ts';
import { head } from './config.test.support.ts';
import { parseConfigText } from './load.ts';
import type { PolicySchemas } from './policy-schemas.ts';

/** A set of one policy that counts how often it is asked for its schema. */
function countingPolicies(option: z.ZodType): { policies: PolicySchemas; asked(): number } {
  let count = 0;
  const policies: PolicySchemas = {
    names: () => ['stamp'],
    schemaOf: () => {
      count += 1;
      return z.strictObject({ header: option });
    },
  };
  return { policies, asked: () => count };
}

const stamped = (header: string): string => `${head}policies: [{ stamp: { header: ${header} } }]\n`;

test('a second load with the same policies builds no schema, whether the file is sound or faulty', () => {
  const { policies, asked } = countingPolicies(z.string());
  parseConfigText(stamped('a'), { policies });
  const forWhole = asked();
  expect(forWhole).toBeGreaterThan(0);
  parseConfigText(stamped('b'), { policies });
  expect(asked()).toBe(forWhole);
  parseConfigText(stamped('1'), { policies });
  const forFaulty = asked();
  expect(forFaulty).toBeGreaterThan(forWhole);
  parseConfigText(stamped('2'), { policies });
  expect(asked()).toBe(forFaulty);
});

test('another set of policies has schemas of its own, also where the names are the same', () => {
  const [strings, numbers] = [countingPolicies(z.string()), countingPolicies(z.number())];
  for (const _ of [1, 2]) {
    expect(parseConfigText(stamped('a'), strings).config).not.toBe(null);
    expect(parseConfigText(stamped('a'), numbers).config).toBe(null);
    expect(parseConfigText(stamped('1'), numbers).config).not.toBe(null);
  }
  expect(schemasFor(strings.policies)).not.toBe(schemasFor(numbers.policies));
});

test('files loaded with one schema share nothing that one of them could change', () => {
  const { policies } = countingPolicies(z.array(z.string()).default(['a']));
  const text = `${head}policies: [{ stamp: {} }]\n`;
  const [one, two] = [1, 2].map(() => parseConfigText(text, { policies }).config!.policies[0].options);
  (one as { header: string[] }).header.push('b');
  expect(two).toEqual({ header: ['a'] });
});
