/** JSON Schemas (draft 2020-12, which OpenAPI 3.1 uses) of what the admin API takes and answers. */
import { z } from 'zod';

export type JsonSchema = { [key: string]: unknown };

/** Of a value as it is sent, whichever side sends it: before defaults and conversions, and open to members to come. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
  return rest;
}

/** One member of a value, as tables show it. */
export interface SchemaField {
  /** From the top: `services[].endpoints[].id`. */
  readonly path: string;
  readonly type: string;
  readonly required: boolean;
  readonly description: string;
}

/** All members with a place of their own, in the schema's order; not those of what has a name and is shown elsewhere. */
export function fieldsOf(schema: JsonSchema, prefix = ''): SchemaField[] {
  const inner = alternativesOf(schema).filter(({ type }) => type !== 'null');
  if (inner.length > 1) return unionOf(inner.map((one) => fieldsOf(one, prefix)));
  const [only] = inner;
  if (only?.type === 'array') return fieldsOf((only.items ?? {}) as JsonSchema, `${prefix}[]`);
  const required = new Set((only?.required ?? []) as string[]);
  return Object.entries((only?.properties ?? {}) as Record<string, JsonSchema>).flatMap(([name, member]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    const field: SchemaField = {
      path,
      type: typeOf(member),
      required: required.has(name),
      description: (member.description as string | undefined) ?? '',
    };
    return [field, ...fieldsOf(member, path)];
  });
}

/** The members of alternatives: what one of them lacks is not always there. */
function unionOf(alternatives: readonly (readonly SchemaField[])[]): SchemaField[] {
  const byPath = new Map<string, SchemaField[]>();
  for (const fields of alternatives) {
    for (const field of fields) byPath.set(field.path, [...(byPath.get(field.path) ?? []), field]);
  }
  return [...byPath.values()].map((same) => {
    return { ...same[0], required: same.length === alternatives.length && same.every(({ required }) => required) };
  });
}

/** In words: `string`, `list of map`, `whole number or null`; what has a name by a link to its heading. */
export function typeOf(schema: JsonSchema): string {
  const alternatives = alternativesOf(schema);
  if (alternatives.length > 1) return [...new Set(alternatives.map(typeOf))].join(' or ');
  if (typeof schema.$ref === 'string') {
    const name = schema.$ref.replace('#/$defs/', '');
    return `[${name}](#${name.toLowerCase()})`;
  }
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => `\`${value}\``).join(', ');
  switch (schema.type) {
    case 'array':
      return `list of ${typeOf((schema.items ?? {}) as JsonSchema)}`;
    case 'object':
      return 'map';
    case 'integer':
      return 'whole number';
    default:
      return typeof schema.type === 'string' ? schema.type : 'anything';
  }
}

function alternativesOf(schema: JsonSchema): JsonSchema[] {
  if (Array.isArray(schema.type)) return schema.type.map((type) => ({ ...schema, type }));
  const several = (schema.anyOf ?? schema.oneOf) as JsonSchema[] | undefined;
  return several === undefined ? [schema] : several.flatMap(alternativesOf);
}
