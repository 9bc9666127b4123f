/** The JSON Schema of a configuration file, for editors: what may be written, before defaults and conversions. */
import { z } from 'zod';
import type { PolicySchemas } from './policy-schemas.ts';
import { createGatewaySchema } from './schema.ts';

/** A JSON Schema, or a part of one. */
export type JsonSchema = { [key: string]: unknown };

/** Our own notes on a schema, which stand in the reference and not in the JSON Schema. */
const notes = ['kind', 'range'];

/** JSON Schema (draft 2020-12) with the notes, as the reference needs it. */
export function createAnnotatedSchema(policies: PolicySchemas): JsonSchema {
  const schema = z.toJSONSchema(createGatewaySchema(policies), { io: 'input', unrepresentable: 'any' }) as JsonSchema;
  return inlineUnnamed(schema);
}

/** Puts definitions that the generator made up (where a schema leads back to itself) where they are used. */
function inlineUnnamed(schema: JsonSchema): JsonSchema {
  const definitions = (schema.$defs ?? {}) as Record<string, JsonSchema>;
  const kept = new Set(Object.keys(definitions).filter((name) => !name.startsWith('__schema')));
  const visit = (node: unknown, within: readonly string[]): unknown => {
    if (Array.isArray(node)) return node.map((item) => visit(item, within));
    if (typeof node !== 'object' || node === null) return node;
    const { $ref, ...rest } = node as JsonSchema;
    const name = typeof $ref === 'string' ? $ref.replace('#/$defs/', '') : '';
    if (name.startsWith('__schema')) {
      if (!within.includes(name)) return visit({ ...definitions[name], ...rest }, [...within, name]);
      kept.add(name);
    }
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, visit(value, within)]));
  };
  const { $defs: _, ...rest } = schema;
  const result = visit(rest, []) as JsonSchema;
  const rendered = new Map<string, unknown>();
  // A set may grow while it is walked: what a kept definition needs is kept too.
  for (const name of kept) rendered.set(name, visit(definitions[name], [name]));
  return { ...result, $defs: Object.fromEntries(rendered) };
}

/** JSON Schema (draft 2020-12) of the file, with the options of the given policies. */
export function createJsonSchema(policies: PolicySchemas): JsonSchema {
  const schema = rewrite(createAnnotatedSchema(policies)) as JsonSchema;
  const definitions = (schema.$defs ?? {}) as JsonSchema;
  definitions.Reference = {
    description: 'A string with ${env.NAME}, ${env.NAME:-default} or ${file:/path}',
    type: 'string',
    pattern: '\\$\\{(env\\.|file:)',
  };
  return { ...schema, title: 'Portico configuration', $defs: definitions };
}

/** Takes off the notes, and lets a reference stand wherever a single value may. */
function rewrite(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(rewrite);
  if (typeof node !== 'object' || node === null) return node;
  const result: JsonSchema = {};
  for (const [key, value] of Object.entries(node)) {
    if (notes.includes(key)) continue;
    result[key] =
      key === 'properties' || key === '$defs'
        ? rewriteEach(value as JsonSchema)
        : key === 'default' || key === 'propertyNames'
          ? value
          : rewrite(value);
  }
  return takesReference(result) ? withReference(result) : result;
}

/** Names of properties are not keywords. */
function rewriteEach(schemas: JsonSchema): JsonSchema {
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, rewrite(schema)]));
}

function takesReference(schema: JsonSchema): boolean {
  if (schema.type === 'string')
    return schema.pattern !== undefined || schema.enum !== undefined || schema.format !== undefined;
  return ['number', 'integer', 'boolean'].includes(String(schema.type));
}

function withReference(schema: JsonSchema): JsonSchema {
  const { description, default: initial, ...rest } = schema;
  const outer: JsonSchema = { anyOf: [rest, { $ref: '#/$defs/Reference' }] };
  if (description !== undefined) outer.description = description;
  if (initial !== undefined) outer.default = initial;
  return outer;
}
