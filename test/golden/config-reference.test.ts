/** Holds the reference of the configuration file, and its JSON Schema, to the schema that the gateway itself uses. */
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createJsonSchema } from '../../src/config/json-schema.ts';
import type { PolicySchemas } from '../../src/config/policy-schemas.ts';
import { renderReference } from '../../src/config/reference.ts';
import { builtInPolicies } from '../../src/gateway/built-in-policies.ts';

const policies: PolicySchemas = {
  names: () => [...builtInPolicies.keys()],
  schemaOf: (name) => builtInPolicies.get(name)?.schema,
};

test.each([
  ['config.md', () => renderReference(policies)],
  ['config.schema.json', () => `${JSON.stringify(createJsonSchema(policies), null, 2)}\n`],
])('docs/reference/%s is what the schema says (UPDATE_DOCS=1 writes it anew)', (name, render) => {
  const file = new URL(`../../docs/reference/${name}`, import.meta.url);
  const expected = render();
  if (process.env.UPDATE_DOCS === '1') writeFileSync(file, expected);
  expect(readFileSync(file, 'utf8')).toBe(expected);
});
