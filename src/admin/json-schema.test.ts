/** The words and members that the reference of the admin API takes from its schemas. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { fieldsOf, jsonSchemaOf, typeOf } from './json-schema.ts';

const named = z.object({ a: z.string() }).meta({ id: 'JsonSchemaTestShape' });

describe('the words for a type', () => {
  it.each([
    [z.string(), 'string'],
    [z.int(), 'whole number'],
    [z.number().nullable(), 'number or null'],
    [z.array(z.array(z.boolean())), 'list of list of boolean'],
    [z.enum(['a', 'b']), '`a`, `b`'],
    [z.literal(1), '`1`'],
    [z.record(z.string(), z.string()), 'map'],
    [z.union([z.string(), z.array(z.string())]), 'string or list of string'],
    [z.unknown(), 'anything'],
    [z.array(named), 'list of [JsonSchemaTestShape](#jsonschematestshape)'],
  ])('%#', (schema, expected) => {
    expect(typeOf(jsonSchemaOf(schema))).toBe(expected);
  });
});

describe('the members of a value', () => {
  it('are told with their paths, through lists and what may be null, but not into what has a name', () => {
    const schema = z.object({
      list: z.array(z.object({ id: z.string().meta({ description: 'Which.' }), more: z.int().optional() })),
      maybe: z.object({ inner: named }).nullable(),
    });
    expect(fieldsOf(jsonSchemaOf(schema))).toEqual([
      { path: 'list', type: 'list of map', required: true, description: '' },
      { path: 'list[].id', type: 'string', required: true, description: 'Which.' },
      { path: 'list[].more', type: 'whole number', required: false, description: '' },
      { path: 'maybe', type: 'map or null', required: true, description: '' },
      {
        path: 'maybe.inner',
        type: '[JsonSchemaTestShape](#jsonschematestshape)',
        required: true,
        description: '',
      },
    ]);
  });

  it('that only one of two alternatives has are not always there', () => {
    const schema = z.union([z.object({ a: z.string(), b: z.string() }), z.object({ a: z.string() })]);
    expect(fieldsOf(jsonSchemaOf(schema)).map(({ path, required }) => [path, required])).toEqual([
      ['a', true],
      ['b', false],
    ]);
  });
});
